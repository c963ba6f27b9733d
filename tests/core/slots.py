"""Slots without an engine: an outlet that writes down what it is asked."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.deferred import Deferrals
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.core.slot import Slot, State


class Recorder:
    """An `Outlet`."""

    def __init__(self, send_buffer: int = 1000) -> None:
        self.send_buffer = send_buffer
        self.deferrals = Deferrals(lambda: None)
        self.flushed: list[Slot] = []
        self.slow: list[Slot] = []
        self.closings: list[tuple[int, str, bool]] = []  # generation, reason, drain

    def flush_soon(self, slot: Slot) -> None:
        self.flushed.append(slot)

    def watch_slow(self, slot: Slot) -> None:
        self.slow.append(slot)

    def close_soon(self, slot: Slot, generation: int, reason: str, *, drain: bool) -> None:
        assert slot.outlet is self
        self.closings.append((generation, reason, drain))


def make_endpoint(layout: Layout | str = "standard", *, control_ids: bool = False) -> Endpoint:
    found = PRESETS[layout] if isinstance(layout, str) else layout
    return Endpoint.make("127.0.0.1:9000", found, default_id=1, control_ids=control_ids)


def open_slot(outlet: Recorder, layout: Layout | str = "standard", client: socket.socket | None = None) -> Slot:
    """A slot as the engine leaves it when a client has come."""
    slot = Slot(0, outlet)
    slot.endpoint = make_endpoint(layout)
    slot.socket = client
    slot.state = State.OPEN
    slot.connection = Connection(slot, slot.generation, "1.0.0", "192.0.2.7:51234", "127.0.0.1:9000")
    return slot


def connection_of(slot: Slot) -> Connection:
    assert slot.connection is not None
    return slot.connection


def take_over(slot: Slot) -> Connection:
    """Close the slot's connection, and let another client have the slot."""
    slot.generation += 1
    slot.clear()
    slot.state = State.OPEN
    slot.connection = Connection(slot, slot.generation, "1.0.1", "192.0.2.8:4711", "127.0.0.1:9000")
    return slot.connection


@contextlib.contextmanager
def owned(slot: Slot) -> Iterator[None]:
    """Somebody has the right to run the slot's messages."""
    assert slot.try_own()
    yield
    slot.disown()


def begin_concurrent(slot: Any) -> None:
    """A concurrent message of the slot's begins to run."""
    if isinstance(slot, Slot):
        slot.concurrent.add(object())  # type: ignore[arg-type]
    else:
        slot.running_concurrent += 1


def end_concurrent(slot: Any) -> None:
    """It has returned."""
    if isinstance(slot, Slot):
        slot.concurrent.clear()
    else:
        slot.running_concurrent -= 1
