"""An endpoint: what all connections that come in by one listener have in common."""

from __future__ import annotations

import struct
from typing import Final

from msgspec import Struct

from commscaffoldd.core.layout import Layout

# Codes of the error reply, the daemon's own; 1000 and above are plugins'.
UNKNOWN_ID: Final = 1
BAD_BODY: Final = 2
HANDLER_FAILED: Final = 3
TIMED_OUT: Final = 4
OVERLOADED: Final = 5
QUARANTINED: Final = 6
REFUSED: Final = 7

_ERROR_HEAD = struct.Struct(">IH")
_U32 = 0xFFFFFFFF


class Endpoint(Struct, frozen=True, eq=False):
    """A listener's address and protocol.

    Attributes:
        address: as configured.
        layout: the header layout its clients speak.
        default_id: the message ID of what they send where the layout has none.
        error_id: the message ID of error replies, `None` where the daemon sends none, or the layout has no
            body of that size.
        go_away_id: the message ID of *go away*, `None` where the daemon sends none, or the layout has no empty body.
    """

    address: str
    layout: Layout
    default_id: int
    error_id: int | None
    go_away_id: int | None

    @classmethod
    def make(cls, address: str, layout: Layout, *, default_id: int, control_ids: bool) -> Endpoint:
        """An endpoint; `control_ids` turns the daemon's own IDs on where the layout leaves them off."""
        controls = layout.has_id and (layout.controls_by_default or control_ids)
        errors_fit = layout.min_body <= _ERROR_HEAD.size <= layout.max_body
        return cls(
            address,
            layout,
            default_id,
            layout.error_id if controls and errors_fit else None,
            layout.go_away_id if controls and not layout.min_body else None,
        )

    def error_reply(self, message_id: int, sequence: int, code: int, text: str) -> tuple[int, int, bytes] | None:
        """An error reply to a request, ready for the outbox; `None` where the daemon sends none.

        Where the layout has only small bodies the text is cut off.
        """
        if self.error_id is None:
            return None
        return self.error_id, sequence, encode_error(message_id, code, text)[: self.layout.max_body]


def encode_error(message_id: int, code: int, text: str) -> bytes:
    """The body of an error reply: u32 message ID, u16 code, UTF-8 text.

    An ID beyond 32 bits, possible in a layout with `id:u64`, is given as its low 32 bits: the sequence tells.
    """
    return _ERROR_HEAD.pack(message_id & _U32, code) + text.encode(errors="replace")


def decode_error(body: bytes) -> tuple[int, int, str]:
    """Message ID, code and text of an error reply. Raises ValueError if the body is too short."""
    if len(body) < _ERROR_HEAD.size:
        raise ValueError(f"an error reply has at least {_ERROR_HEAD.size} bytes, not {len(body)}")
    message_id, code = _ERROR_HEAD.unpack_from(body)
    return message_id, code, body[_ERROR_HEAD.size :].decode(errors="replace")
