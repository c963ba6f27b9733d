"""What goes wrong under load, counted by kind."""

from __future__ import annotations

import enum
import errno
from typing import Final

from msgspec import Struct


class Kind(enum.StrEnum):
    """Kinds of errors; the values stand in JSON."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    CLOSED = "closed"
    RESET = "reset"
    NO_REPLY = "no_reply"
    BAD_FRAME = "bad_frame"
    ERROR_REPLY = "error_reply"
    WRONG_REPLY = "wrong_reply"
    OUT_OF_ORDER = "out_of_order"


_CONNECT_KINDS: Final = {
    errno.ECONNREFUSED: Kind.REFUSED,
    errno.ECONNRESET: Kind.RESET,  # the listener was closed while it waited in the backlog
    errno.ETIMEDOUT: Kind.CONNECT_TIMEOUT,
}
ENDED_BY_SERVER: Final = (Kind.CLOSED, Kind.RESET)


class ErrorCount(Struct, frozen=True):
    """Errors of one kind.

    Attributes:
        code: of error replies; `None` for other kinds.
        count: how many there were.
        text: what the first one said.
    """

    kind: Kind
    code: int | None
    count: int
    text: str


class ConnectionLost(Exception):  # noqa: N818  # it names what happened
    """A connection of the load is over: why."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class ErrorTally:
    """Counts errors. Of each kind and code it keeps one text, so it stays small whatever comes."""

    def __init__(self) -> None:
        self._found: dict[tuple[Kind, int | None], tuple[int, str]] = {}

    def add(self, kind: Kind, text: str, *, code: int | None = None, times: int = 1) -> None:
        """Count an error."""
        count, first = self._found.get((kind, code), (0, text))
        self._found[kind, code] = (count + times, first)

    def counts(self) -> list[ErrorCount]:
        """What was counted, the most frequent first."""
        found = [ErrorCount(*key, *value) for key, value in self._found.items()]
        return sorted(found, key=lambda each: -each.count)


def connect_kind(error: OSError) -> Kind:
    """The kind of a failure to connect."""
    return _CONNECT_KINDS.get(error.errno or 0, Kind.CONNECT_FAILED)
