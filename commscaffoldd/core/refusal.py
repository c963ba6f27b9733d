"""A refusal: what takes a reply's place if a message is not to be handled. It is not a handler's failure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from commscaffoldd.core.endpoint import REFUSED

MAX_CODE: Final = 0xFFFF  # an error reply has a u16 for it


class Refusal(Struct, frozen=True):
    """An error reply to be made, with a code of `endpoint` or a plugin's own.

    It is returned in a reply's place if the message has not reached its handler. `HandlerRunner` makes the reply,
    without a log line, and it counts neither as the handler's failure nor as its success.

    Attributes:
        code: the error reply's.
        text: the error reply's; shown to the client.
        counted_as: the counter for it, of `counters.COUNTERS`; empty: none. The daemon's own refusals have one.
    """

    code: int
    text: str
    counted_as: str = ""


class Refuse(Exception):  # noqa: N818  it reads as what it does: raise Refuse(1001, "no such room")
    """Raised by a handler or a middleware: the client gets this error reply, and the log nothing.

    Attributes:
        code: 1 to 65535. 7 means that the message is refused, codes from 1000 on are for plugins to define; the
            others are the daemon's own (docs/protocol.md).
        text: for the client.
    """

    def __init__(self, code: int = REFUSED, text: str = "refused") -> None:
        """Say why.

        Raises:
            TypeError: the code is no integer, or the text no string.
            ValueError: the code is not from 1 to 65535.
        """
        if not isinstance(code, int) or isinstance(code, bool):
            raise TypeError(f"Refuse({code!r}): a code is an int from 1 to {MAX_CODE}; the text comes after it")
        if not 1 <= code <= MAX_CODE:
            raise ValueError(f"Refuse({code}): a code is from 1 to {MAX_CODE}; those from 1000 on are plugins' own")
        if not isinstance(text, str):
            raise TypeError(f"Refuse({code}, {text!r}): the text is a str")
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        """As an operator reads it, should it end up in a log."""
        return f"error {self.code}: {self.text}"
