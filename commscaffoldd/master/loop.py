"""The master's one loop: descriptors, timers, no threads."""

from __future__ import annotations

import heapq
import itertools
import logging
import select
import time
from collections.abc import Callable
from typing import Final

LOG = logging.getLogger(__name__)

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT

_AFTER_ERROR: Final = 0.05  # seconds of rest after a callback failed: a fault that repeats must not spin
_NEVER: Final = 3600.0


class Timer:
    """A call that is due once. `cancel` may be called at any time, also after it ran."""

    __slots__ = ("_callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self._callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not call."""
        self._callback = None

    def fire(self) -> None:
        """Call, unless cancelled or called before."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Loop:
    """Waits with poll(2) and calls. All its methods belong to the thread that runs it.

    A callback that raises is logged, and the loop goes on: one client's or worker's fault is not the master's end.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._stopped = False

    @staticmethod
    def now() -> float:
        """Seconds of the monotonic clock, which timers go by."""
        return time.monotonic()

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(events)` whenever the descriptor has any of `events`, an error or a hang-up.

        Watching a descriptor again changes its events and callback.
        """
        self._poll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Forget the descriptor, before it is closed. Nothing happens if it is not watched."""
        if self._callbacks.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call once, `delay` seconds from now."""
        timer = Timer(self.now() + delay, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def run(self) -> None:
        """Wait and call, until `stop` is called, be it by a callback or before. A loop runs once."""
        while not self._stopped:
            self.turn(_NEVER)

    def stop(self) -> None:
        """Let `run` return after the callbacks of this turn."""
        self._stopped = True

    def turn(self, longest: float) -> None:
        """Wait once, at most `longest` seconds, and call what is due."""
        for fd, events in self._poll.poll(self._timeout(longest) * 1000):
            # Looked up now: a callback of this very turn may have closed the descriptor. If another one has got its
            # number meanwhile, that one hears of an event too early, which non-blocking descriptors bear.
            callback = self._callbacks.get(fd)
            if callback is not None:
                self._guarded(callback, events)
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            self._guarded(timer.fire)

    def _timeout(self, longest: float) -> float:
        while self._timers and not self._timers[0][2].pending:
            heapq.heappop(self._timers)
        if not self._timers:
            return longest
        # Not a moment too early: poll(2) takes milliseconds, and rounding down would turn the loop idly.
        return min(longest, max(0.0, self._timers[0][0] - self.now() + 0.001))

    def _guarded(self, callback: Callable[..., None], *arguments: int) -> None:
        try:
            callback(*arguments)
        except Exception:
            LOG.exception("an unexpected error in the master; it goes on")
            time.sleep(_AFTER_ERROR)
