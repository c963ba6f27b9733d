"""What can go wrong for a client, beside OSError (it cannot connect) and TimeoutError (no answer in time)."""

from __future__ import annotations

import struct
from typing import Final

_ERROR_HEAD: Final = struct.Struct(">IH")  # u32 message ID of the request, u16 code; the rest is text

MEANINGS: Final = {
    1: "unknown message ID",
    2: "bad body",
    3: "handler failed",
    4: "timed out",
    5: "overloaded",
    6: "quarantined",
    7: "refused",
}
_TRANSIENT: Final = frozenset((3, 4, 5, 6))


class ClientError(Exception):
    """The base of this package's own errors."""


class ConnectionClosed(ClientError):  # noqa: N818  # it names what happened, as ConnectionResetError's kin
    """The daemon closed or reset the connection."""


class NotHandled(ConnectionClosed):
    """The connection has ended, and the daemon has certainly not handled this message: it can be sent again.

    A client that may reconnect does so by itself; one that may not raises this.
    """


class StreamOverrun(ClientError):  # noqa: N818  # it names what happened
    """More replies to one request wait for the program than may."""


class FrameError(ClientError):
    """What came cannot be a frame of this layout. Nothing more can be read from the connection."""


class BadReply(ClientError):  # noqa: N818  # as the codecs' BadBody
    """A reply's body is not of the type that was asked for; the text says where, and why."""


class ErrorReply(ClientError):  # noqa: N818  # the wire format's own name
    """The daemon answered with an error reply.

    Attributes:
        code: 1 to 7 are the daemon's (`MEANINGS`), 1000 and above plugins' own.
        text: what the daemon says about it.
        id: the message ID of the request.
    """

    def __init__(self, code: int, text: str, message_id: int) -> None:
        super().__init__(code, text, message_id)
        self.code = code
        self.text = text
        self.id = message_id

    def __str__(self) -> str:
        """Code, its meaning, and the text."""
        meaning = MEANINGS.get(self.code)
        named = f"error {self.code} ({meaning})" if meaning else f"error {self.code}"
        return f"{named}: {self.text}" if self.text else named

    @property
    def transient(self) -> bool:
        """The daemon could not handle it this time (codes 3 to 6): another time it may."""
        return self.code in _TRANSIENT

    @classmethod
    def from_body(cls, body: bytes) -> ErrorReply | None:
        """Read an error reply's body; `None` if it is none."""
        if len(body) < _ERROR_HEAD.size:
            return None
        message_id, code = _ERROR_HEAD.unpack_from(body)
        return cls(code, body[_ERROR_HEAD.size :].decode("utf-8", "replace"), message_id)
