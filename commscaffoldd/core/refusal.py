"""A refusal: what is returned in a reply's place if a message is not to be handled."""

from __future__ import annotations

from msgspec import Struct


class Refusal(Struct, frozen=True):
    """An error reply to be made, with a code of `endpoint` or a plugin's own. It is not a handler's failure.

    `HandlerRunner.finish` makes the reply of it, without log and quarantine. An exception by which plugins refuse a
    message is to be told from a failure in `HandlerRunner.fail`, and to become one of these.

    Attributes:
        code: the error reply's.
        text: the error reply's; shown to the client.
        counted_as: the counter for it, of `counters.COUNTERS`; empty: none. The daemon's own refusals have one.
    """

    code: int
    text: str
    counted_as: str = ""
