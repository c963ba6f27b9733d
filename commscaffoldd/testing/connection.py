"""A connection without a client: it notes what is sent to it, and how it is closed."""

from __future__ import annotations

import operator
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from commscaffoldd.codecs import codec_for
from commscaffoldd.codecs.base import Format
from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.deferred import Deferrals
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.core.request import Request
from commscaffoldd.core.slot import Slot, State, as_body

PEER: Final = "192.0.2.7:51234"
LISTEN: Final = "127.0.0.1:9000"


class Push(NamedTuple):
    """A message that a plugin has sent to a connection, and that is no reply."""

    id: int
    body: bytes

    def read(self, kind: Any, format: Format | None = None) -> Any:  # noqa: ANN401, A002  # any annotation; its word
        """The body as a value of this type, decoded as a client would. Raises BadBody if it is none."""
        return codec_for(kind, format).decode(self.body)


class FakeConnection(Connection):
    """A client's connection, as a handler sees it; it is one, so annotations and `isinstance` say so, too.

    Attributes:
        sent: what plugins have pushed to it, in order.
        closed: the reason with which it was closed on this side, `None` as long as it was not.
    """

    __slots__ = ("closed", "current", "pending", "replied", "sent")

    def __init__(
        self,
        *,
        connection_id: str = "",
        peer: str = PEER,
        listen: str = LISTEN,
        layout: Layout | str = "standard",
        session: dict[str, Any] | None = None,
    ) -> None:
        """A client that is there.

        Args:
            connection_id: by default one that no other has.
            peer: the client's address.
            listen: the configured address that it came in by.
            layout: what it speaks: a preset's name, or a layout.
            session: what plugins remember of it already.
        """
        known = PRESETS[layout] if isinstance(layout, str) else layout
        endpoint = Endpoint.make(listen, known, default_id=1, control_ids=False)
        # What a connection needs of its slot, and no more: there is no socket behind it.
        slot = cast("Slot", _NoSlot(self, endpoint))
        super().__init__(slot, 1, connection_id or f"1.{uuid.uuid4().hex[:8]}.1", peer, listen)
        self.sent: list[Push] = []
        self.closed: str | None = None
        # For the harness: messages that wait for the one that runs, and whom to give a reply by its sequence.
        self.pending: deque[Request] = deque()
        self.current: Request | None = None
        self.replied: dict[int, Callable[[bytes], None]] = {}
        if session:
            self.restore_session(dict(session))

    @property
    def endpoint(self) -> Endpoint:
        """What the clients of its listener have in common: layout, error ID."""
        endpoint = self._slot.endpoint
        assert endpoint is not None, "a fake slot has always one"
        return endpoint

    def take_sent(self) -> list[Push]:
        """What has been pushed since the last look; forgets it."""
        taken, self.sent[:] = list(self.sent), []
        return taken

    def go_away(self) -> None:
        """The client goes: from now on nothing can be sent to it. No hook is called; see `PluginHarness.close`."""
        self._slot.generation += 1

    def defer_to(self, deferrals: Deferrals) -> None:
        """Have these keep what handlers defer."""
        self._slot.outlet.deferrals = deferrals


class _NoOutlet:
    """Stands in an outlet's place; see `core.slot.Outlet`."""

    def __init__(self) -> None:
        self.send_buffer = 1 << 20
        self.deferrals = Deferrals(lambda: None)


class _NoSlot:
    """Stands in a slot's place; see `core.slot.Slot` for what its members mean."""

    def __init__(self, connection: FakeConnection, endpoint: Endpoint) -> None:
        self._connection = connection
        self.endpoint: Endpoint | None = endpoint
        self.outlet = _NoOutlet()
        self.generation = 1
        self.state = State.OPEN
        self.unsent = 0

    def push(self, generation: int, message_id: int, sequence: int, body: bytes) -> bool:
        message_id, data = operator.index(message_id), as_body(body)
        if self.endpoint is None or generation != self.generation or self._connection.closing:
            return False
        self.endpoint.layout.check_fits(message_id, len(data))
        replied = self._connection.replied.get(sequence)
        if replied is None:
            self._connection.sent.append(Push(message_id, data))
        else:
            replied(data)
        return True

    def close_from_plugin(self, generation: int, reason: str) -> None:
        if generation == self.generation and self._connection.closed is None:
            self._connection.closed = reason or reasons.PLUGIN
            self.state = State.DRAINING
            self.outlet.deferrals.ending(self._connection)
