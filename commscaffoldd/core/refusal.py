"""A refusal: what is returned in a reply's place if a message is not to be handled."""

from __future__ import annotations

from msgspec import Struct


class Refusal(Struct, frozen=True):
    """An error reply to be made, with a code of `endpoint` or a plugin's own. It is not a handler's failure.

    Attributes:
        code: the error reply's.
        text: the error reply's; shown to the client.
    """

    code: int
    text: str
