"""Why a connection stayed where it was: for the log, the answer to the command, and the master."""

from __future__ import annotations

from typing import Final

NO_RECEIVER: Final = "no worker was left to take it"
"""The master knows this one: it tries again, with those who serve then. So it must not change between versions."""

NO_ANSWER: Final = "the other worker did not answer in time"
TOO_LONG: Final = "a handler was still running when the time was over"
