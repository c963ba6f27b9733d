"""When a worker that died is replaced: at once, or, if workers die again and again, ever later."""

from __future__ import annotations

from typing import Final

QUICK: Final = 5.0  # seconds; a worker that lived shorter did not really live
FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 60.0


class Restarts:
    """Counts deaths, by worker slot.

    Attributes:
        count: workers replaced, or to be replaced, since the daemon started.
        last: why the last one ended, in words; empty if none did.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = ""
        self._quick: dict[int, int] = {}

    def died(self, slot: int, lived: float, *, got_ready: bool, reason: str) -> float:
        """Note a death, and return the seconds to wait before the worker is replaced."""
        self.count += 1
        self.last = reason
        if got_ready and lived >= QUICK:
            self._quick.pop(slot, None)
            return 0.0
        quick = self._quick.get(slot, 0) + 1
        self._quick[slot] = quick
        # the exponent is bounded too: a daemon may run for years
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(quick - 1, 10))

    def replaced(self, reason: str) -> None:
        """Note that a worker which lives was replaced."""
        self.count += 1
        self.last = reason

    def forgive(self) -> None:
        """Forget the quick deaths: there are new plugins and settings, with a new chance."""
        self._quick.clear()
