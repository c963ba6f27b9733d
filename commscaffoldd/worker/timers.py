"""How exactly the kernel wakes this worker's threads."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

SLACK_NS: Final = 1000  # the kernel's default is 50,000
_SLACK: Final = Path("/proc/self/timerslack_ns")


def sharpen_timers(slack: Path = _SLACK) -> None:
    """Let waits with a timeout end when they are over, not up to 50 µs later (PR_SET_TIMERSLACK in prctl(2)).

    A thread that wants the GIL waits so, one switch interval at a time; 50 µs are half of that. Threads that are
    started afterwards inherit it. To be called on the main thread, before others are started.
    """
    try:
        slack.write_bytes(b"%d" % SLACK_NS)  # no text: its codec might have to be imported, by a user who may not
    except OSError as error:  # no /proc here, or an old kernel
        logger.debug(f"timers stay as they are: {slack}: {error.strerror}")
