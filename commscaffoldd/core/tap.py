"""A tap hears of every message while a capture runs. While none does, the path asks once a batch, not a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.slot import Reply, Slot


class Tap(Protocol):
    """Hears of messages and connections. Nothing here may block, raise, or keep the lists that it is given."""

    def opened(self, slot: Slot, connection: Connection) -> None:
        """A client has connected. The reactor's thread."""

    def received(self, arrived: Sequence[tuple[Slot, Connection, list[Frame]]]) -> None:
        """Messages have come, and none of them has been handled yet. The reactor's thread."""

    def sent(self, slot: Slot, connection: Connection | None, replies: Sequence[Reply]) -> None:
        """Messages leave the outbox for the socket. The sender's thread, the reactor's, or a business thread."""

    def closed(self, connection: Connection, reason: str) -> None:
        """A connection has ended. The reactor's thread."""
