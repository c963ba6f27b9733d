"""A connection without a client."""

from __future__ import annotations

import enum
import operator
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.deferred import Deferrals
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import Layout
from commscaffoldd.core.slot import Slot, as_body

if TYPE_CHECKING:
    from commscaffoldd.worker.socketless.handling import Message

ERROR: Final = -1
"""The message ID of error replies here. Known from all messages', also in layouts that have no error replies."""
_SEND_BUFFER: Final = 1 << 20


class Unlimited(Endpoint, frozen=True, eq=False):
    """An endpoint whose error replies are whole in any layout: nobody has to encode them."""

    def error_reply(self, message_id: int, sequence: int, code: int, text: str) -> tuple[int, int, bytes]:  # noqa: ARG002  # as Endpoint has it
        """As `Endpoint.error_reply`, but the reply is `ERROR`, the code, and the text."""
        return ERROR, code, text.encode(errors="replace")


class SocketlessConnection(Connection):
    """A client's connection, as a handler sees it; it is one, so annotations and `isinstance` say so, too.

    Attributes:
        closed: the reason with which it was closed on this side, `None` as long as it was not.
        pending: for `Handling`: messages that wait for the one that runs.
        current: for `Handling`: the one that runs, or whose reply is deferred.
    """

    __slots__ = ("closed", "current", "pending")

    def __init__(self, connection_id: str, peer: str, listen: str, layout: Layout, default_id: int = 1) -> None:
        """A client that is there.

        Args:
            connection_id: its ID.
            peer: the client's address.
            listen: the configured address that it came in by.
            layout: what it speaks.
            default_id: the message ID of what it sends where the layout has none.
        """
        endpoint = Unlimited(listen, layout, default_id, ERROR, None)
        # What a connection needs of its slot, and no more: there is no socket behind it.
        super().__init__(cast("Slot", _NoSlot(self, endpoint)), 1, connection_id, peer, listen)
        self.closed: str | None = None
        self.pending: deque[Message] = deque()
        self.current: Message | None = None

    @property
    def endpoint(self) -> Endpoint:
        """What the clients of its listener have in common."""
        endpoint = self._slot.endpoint
        assert endpoint is not None, "there is always one here"
        return endpoint

    def pushed(self, message_id: int, body: bytes) -> None:
        """A plugin has sent it a message that is no reply, and that fits. Any thread."""

    def go_away(self) -> None:
        """The client goes: from now on nothing can be sent to it. No hook is called."""
        self._slot.generation += 1

    def defer_to(self, deferrals: Deferrals) -> None:
        """Have these keep what handlers defer."""
        self._slot.outlet.deferrals = deferrals

    def accepts(self, message_id: int, body: object) -> bytes | None:
        """A message as it would be sent; `None` if it goes nowhere. Any thread.

        Raises:
            TypeError, ValueError: as `Connection.send`.
        """
        message_id, data = operator.index(message_id), as_body(body)
        if not self.is_open:
            return None
        self.endpoint.layout.check_fits(message_id, len(data))
        return data


class _State(enum.Enum):
    """Of a slot; see `Connection.ending`."""

    OPEN = "open"
    DRAINING = "draining"


class _NoOutlet:
    """Stands in an outlet's place; see `core.slot.Outlet`."""

    def __init__(self) -> None:
        self.send_buffer = _SEND_BUFFER
        self.deferrals = Deferrals(lambda: None)


class _NoSlot:
    """Stands in a slot's place; see `core.slot.Slot` for what its members mean."""

    def __init__(self, connection: SocketlessConnection, endpoint: Endpoint) -> None:
        self._connection = connection
        self.endpoint: Endpoint | None = endpoint
        self.outlet = _NoOutlet()
        self.generation = 1
        self.unsent = 0

    @property
    def state(self) -> _State:
        return _State.DRAINING if self._connection.closing else _State.OPEN

    def push(self, generation: int, message_id: int, _sequence: int, body: bytes) -> bool:
        connection = self._connection
        data = connection.accepts(message_id, body)
        if data is None or generation != self.generation:
            return False
        connection.pushed(message_id, data)
        return True

    def close_from_plugin(self, generation: int, reason: str) -> None:
        connection = self._connection
        if generation != self.generation:
            return
        if connection.closed is None:
            connection.closed = reason or reasons.PLUGIN
        self.outlet.deferrals.ending(connection)
