"""A connection without a client: it notes what is sent to it, and how it is closed."""

from __future__ import annotations

import itertools
import uuid
from typing import Any, Final, NamedTuple

from commscaffoldd.codecs import codec_for
from commscaffoldd.codecs.base import Format
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.worker.socketless.connection import SocketlessConnection

PEER: Final = "192.0.2.7:51234"
LISTEN: Final = "127.0.0.1:9000"


class Push(NamedTuple):
    """A message that a plugin has sent to a connection, and that is no reply."""

    id: int
    body: bytes

    def read(self, kind: Any, format: Format | None = None) -> Any:  # noqa: ANN401, A002  # any annotation; its word
        """The body as a value of this type, decoded as a client would. Raises BadBody if it is none."""
        return codec_for(kind, format).decode(self.body)


class FakeConnection(SocketlessConnection):
    """A client's connection, as a handler sees it; it is one, so annotations and `isinstance` say so, too.

    Attributes:
        sent: what plugins have pushed to it, in order.
        closed: the reason with which it was closed on this side, `None` as long as it was not.
    """

    __slots__ = ("_has_errors", "_sequence", "sent")

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
        super().__init__(connection_id or f"1.{uuid.uuid4().hex[:8]}.1", peer, listen, known)
        self.sent: list[Push] = []
        self._sequence = itertools.count(1)
        self._has_errors = Endpoint.make(listen, known, default_id=1, control_ids=False).error_id is not None
        if session:
            self.restore_session(dict(session))

    def take_sent(self) -> list[Push]:
        """What has been pushed since the last look; forgets it."""
        taken, self.sent[:] = list(self.sent), []
        return taken

    def pushed(self, message_id: int, body: bytes) -> None:
        """See `SocketlessConnection`."""
        self.sent.append(Push(message_id, body))

    @property
    def has_errors(self) -> bool:
        """Whether its layout has error replies: else a client is told nothing of a refusal."""
        return self._has_errors

    def next_sequence(self) -> int:
        """The sequence of its next message, as a client would count."""
        return next(self._sequence)
