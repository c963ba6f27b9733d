"""Single parts of a path, by names that both paths have."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.slot import Outlet, Slot, State
from tests.core.slots import Recorder, make_endpoint, open_slot


class Parts(NamedTuple):
    """What makes a part.

    Attributes:
        make_slot: a slot, from its number and what it asks.
        open_slot: a slot as the engine leaves it when a client has come, from what it asks and a layout's name.
    """

    make_slot: Callable[[int, Outlet], Slot]
    open_slot: Callable[[Recorder, str], Slot]


def python_parts() -> Parts:
    return Parts(Slot, open_slot)


def native_parts() -> Parts:
    """Only where they have been built."""
    from commscaffoldd.core.native.header import Header
    from commscaffoldd.core.native.slot import NativeSlot

    def open_native_slot(outlet: Recorder, layout: str) -> Slot:
        slot, endpoint = NativeSlot(0, outlet), make_endpoint(layout)
        slot.begin(-1, endpoint, Header(endpoint.layout, max_body=1 << 20))
        slot.state = State.OPEN
        slot.connection = Connection(slot, slot.generation, "1.0.0", "192.0.2.7:51234", "127.0.0.1:9000")
        return slot

    return Parts(NativeSlot, open_native_slot)
