"""What handlers see in a rehearsal in place of clients: connections that come from nowhere, and lead nowhere."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final, cast

from commscaffoldd.capture.recording import RecordedConnection, layout_of
from commscaffoldd.capture.records import Spoken
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.slot import Slot, as_body

_NOT_ON_THE_WIRE: Final = -1
"""The ID of error replies here: known from all messages', in layouts without an ID, too."""


class NoSlot:
    """Stands in for the slot of a rehearsed connection: what is pushed is checked as ever, and goes nowhere."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.generation = 0
        self.endpoint: Endpoint | None = endpoint

    def push(self, generation: int, message_id: int, _sequence: int, body: bytes) -> bool:
        """See `Slot.push`."""
        message_id, data = operator.index(message_id), as_body(body)
        if self.endpoint is None or generation != self.generation:
            return False
        self.endpoint.layout.check_fits(message_id, len(data))
        return True

    def close_from_plugin(self, _generation: int, _reason: str) -> None:
        """The connection knows that it is closing; nothing else has to."""


class RehearsedConnection:
    """A recorded connection on the stage.

    Attributes:
        connection: as handlers see it.
        endpoint: what replies are made for.
    """

    def __init__(
        self, recorded: RecordedConnection, endpoints: Mapping[str, Endpoint], spoken: Mapping[str, Spoken]
    ) -> None:
        """A connection like the recorded one, to the listener that is configured now, if there is one.

        Args:
            recorded: what it is like.
            endpoints: by configured address.
            spoken: what was spoken at the listeners then.
        """
        now = endpoints.get(recorded.listen)
        layout = now.layout if now is not None else layout_of(recorded, spoken)
        default_id = now.default_id if now is not None else 1
        self.endpoint = Endpoint(recorded.listen, layout, default_id, _NOT_ON_THE_WIRE, None)
        self._slot = NoSlot(self.endpoint)
        slot = cast("Slot", self._slot)
        self.connection = Connection(slot, 0, recorded.id, recorded.peer, recorded.listen)

    def end(self) -> None:
        """The client has gone."""
        self._slot.generation += 1
