"""The codes of error replies, in words."""

from __future__ import annotations

from typing import Final

from commscaffoldd.catalogue.model import ErrorCode
from commscaffoldd.core import endpoint

ERROR_CODES: Final = (
    ErrorCode(endpoint.UNKNOWN_ID, "unknown message ID", "No handler for this message ID."),
    ErrorCode(endpoint.BAD_BODY, "bad body", "The body is not what the handler expects; the text says where."),
    ErrorCode(endpoint.HANDLER_FAILED, "handler failed", "The handler failed; the daemon's log says why."),
    ErrorCode(
        endpoint.TIMED_OUT,
        "timed out",
        "The handler took longer than its timeout: nobody knows whether it has done, or still does, what it should. "
        "Nothing more comes for this request.",
    ),
    ErrorCode(endpoint.OVERLOADED, "overloaded", "The daemon has more to do than it can; try again later."),
    ErrorCode(
        endpoint.QUARANTINED,
        "quarantined",
        "The handler of this message ID has failed or hung again and again, and is left alone for a while; the text "
        "says for how long. The message has not reached it.",
    ),
    ErrorCode(endpoint.REFUSED, "refused", "The daemon does not do this for this client; the text says why."),
)
"""The daemon's own; 1000 and above are plugins'."""

FIRST_OF_PLUGINS: Final = 1000
