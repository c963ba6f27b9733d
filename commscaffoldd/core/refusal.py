"""A refusal: what is returned in a reply's place if a message is not to be handled."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAX_CODE: Final = 0xFFFF


class Refusal(Struct, frozen=True):
    """An error reply to be made, with a code of `endpoint` or a plugin's own. It is not a handler's failure.

    `HandlerRunner.finish` makes the reply of it, without log and quarantine. An exception by which plugins refuse a
    message is to be told from a failure in `HandlerRunner.fail`, and to become one of these.

    Attributes:
        code: the error reply's.
        text: the error reply's; shown to the client.
    """

    code: int
    text: str

    @classmethod
    def checked(cls, code: object, text: object) -> Refusal:
        """One from what a plugin gives. Raises ValueError if the code is not one from 1 to 65535."""
        if not isinstance(code, int) or isinstance(code, bool) or not 1 <= code <= MAX_CODE:
            allowed = f"an int from 1 to {MAX_CODE} (1000 and above are plugins' own)"
            raise ValueError(f"an error reply's code is {allowed}, not {code!r}")
        return cls(code, str(text))
