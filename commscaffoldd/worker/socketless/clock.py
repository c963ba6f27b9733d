"""A clock that its owner turns, and what is to happen at which time."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable


class ManualClock:
    """A clock that stands still between two calls of `advance`.

    Attributes:
        now: seconds since the clock was made.
    """

    def __init__(self) -> None:
        """At 0.0."""
        self.now = 0.0
        self._lock = threading.Lock()
        self._order = itertools.count()  # of two calls at one time, the one that was asked for first
        self._calls: list[tuple[float, int, Callable[[], object]]] = []

    def __repr__(self) -> str:
        """The time."""
        return f"<{type(self).__name__} {self.now:g} s>"

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Have something called once it is so late. Any thread."""
        with self._lock:
            heapq.heappush(self._calls, (when, next(self._order), call))

    def advance(self, seconds: float) -> None:
        """Let time pass: what is due is called, in its order and at its time, on this thread.

        Raises:
            ValueError: it would go backwards.
            Exception: what one of the calls raises; time then stands at that call.
        """
        if seconds < 0:
            raise ValueError(f"advance({seconds!r}): time does not go backwards")
        end = self.now + seconds
        while (call := self._next(end)) is not None:
            call()
        self.now = end

    def _next(self, end: float) -> Callable[[], object] | None:
        with self._lock:
            if not self._calls or self._calls[0][0] > end:
                return None
            when, _, call = heapq.heappop(self._calls)
            self.now = max(self.now, when)
            return call
