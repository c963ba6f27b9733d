"""Whose turn a timer is that only one worker of the daemon runs.

All workers look at the same times, on one grid: multiples of the period on CLOCK_MONOTONIC, which is the same for
all processes. Who holds the timer's file lock runs it, and goes on holding it; the file says which time was the last
that somebody has run. So when a worker lets go just after its turn, another one that is late does not run it again.
"""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import Final

from commscaffoldd.core.file_lock import FileLock
from commscaffoldd.plugin.timers import Timer

FOLDER: Final = "timers"  # in run_dir. The files stay: one that is removed could be locked and no longer be the one
_DIGITS: Final = 20


class TimerTurns(FileLock):
    """One timer's lock. The thread of the timers only."""

    def __init__(self, run_dir: Path, timer: Timer) -> None:
        """Open, or make, its file. Raises OSError."""
        folder = run_dir / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        # Quoted: it may be anything, such as `make.<locals>.clean`.
        super().__init__(folder / urllib.parse.quote(f"{timer.plugin}.{timer.name}", safe=""))

    def take(self, due_ns: int, now_ns: int) -> bool:
        """Whether this worker has the turn that is due at this time of CLOCK_MONOTONIC; if so, nobody else will."""
        if not self.try_acquire():
            return False
        last = self._last()
        if due_ns <= last <= now_ns:  # a later one than now is from before the machine was started
            return False
        os.pwrite(self.fd, b"%0*d\n" % (_DIGITS, due_ns), 0)
        return True

    def _last(self) -> int:
        text = os.pread(self.fd, _DIGITS, 0)
        return int(text) if text.isdigit() else -1
