"""The thread of the timers: calls plugins' timers when they are due.

Plain ones run on it, one after another; async ones are handed to the event loop. Times are computed from the
beginning, not from the last call, so that they do not drift. A call that is due while the last one runs is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from commscaffoldd.core.error_text import describe
from commscaffoldd.core.service_thread import ServiceThread
from commscaffoldd.core.stacks import stack_of
from commscaffoldd.plugin.timers import Timer
from commscaffoldd.worker.timer_turns import TimerTurns

logger = logging.getLogger(__name__)

QUIET: Final = 1.0  # seconds in which a timer's further failures are counted instead of logged
_NS: Final = 1_000_000_000

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]
"""Has the event loop run a coroutine; any thread. Raises RuntimeError if the loop has ended."""


class _Entry:
    """One timer, and when it runs."""

    def __init__(self, timer: Timer, turns: TimerTurns | None) -> None:
        self.timer = timer
        self.turns = turns
        self.period = timer.mark.seconds
        self.begin = 0.0 if turns is not None else time.monotonic()  # 0.0: the grid that all workers have
        self.due = 0.0
        self.began: float | None = None  # it runs, since then
        self.told_slow = False
        self.quiet_until = 0.0
        self.held_back = 0
        self.runs = 0  # of this worker, those that have ended; the thread that runs it counts
        self.failures = 0
        self.last: tuple[float, float] | None = None  # when it began, how long it took

    def plan(self, now: float) -> None:
        """Set the next time: the first one on the grid that is later than `now`."""
        self.due = self.begin + self.period * (math.floor((now - self.begin) / self.period) + 1)
        if self.due <= now:  # by rounding: it would be called twice for one time
            self.due += self.period

    def has_turn(self, due: float) -> bool:
        return self.turns is None or self.turns.take(round(due * _NS), time.monotonic_ns())

    def describe(self, now: float) -> dict[str, Any]:
        last = self.last
        return {
            "plugin": self.timer.plugin,
            "function": self.timer.name,
            "every": self.period,
            "workers": self.timer.mark.workers,
            "async": self.timer.is_async,
            "runs": self.runs,
            "failures": self.failures,
            "running": self.began is not None,
            "last": None if last is None else round(now - last[0], 3),
            "took": None if last is None else round(last[1], 6),
        }

    def let_go(self) -> None:
        if self.turns is not None:
            self.turns.release()


class TimerThread:
    """Owns the thread. Where no plugin has a timer there is none."""

    def __init__(self, timers: Sequence[Timer], run_dir: Path, spawn: Spawn) -> None:
        """Nothing runs yet. To be made after the fork.

        Args:
            timers: all plugins'.
            run_dir: where workers agree on who runs a timer.
            spawn: for those that are async.

        Raises:
            OSError: a file in `run_dir` cannot be made or opened.
        """
        self._entries = [
            _Entry(timer, TimerTurns(run_dir, timer) if timer.mark.workers == "one" else None) for timer in timers
        ]
        self._spawn = spawn
        self._wake: SimpleQueue[None] = SimpleQueue()  # its `put` is safe in signal handlers
        self._stopping = False
        self._change = threading.Condition()  # of `began` and `let_go`, which the event loop's thread uses, too
        self._thread = ServiceThread("timers", self._run)

    def start(self) -> None:
        """Start the thread."""
        if self._entries:
            self._thread.start()

    def stop_soon(self) -> None:
        """Begin no more calls, and leave to other workers what one worker runs. Returns at once. Any thread."""
        self._stopping = True
        self._wake.put(None)

    def stop(self, timeout: float) -> None:
        """The same, and wait for what runs, at most `timeout` seconds. The event loop must run until then."""
        deadline = time.monotonic() + timeout
        self.stop_soon()
        if self._thread.is_alive():
            self._thread.join(timeout)
        with self._change:
            self._change.wait_for(lambda: not self._running(), max(deadline - time.monotonic(), 0.0))
        for entry in self._running():
            logger.warning(f"{entry.timer} was still running after stop_timeout: it ends unfinished")

    def look(self, now: float) -> None:
        """Say, once, of a timer that runs for longer than its period, where it is. Any thread, now and then."""
        for entry in self._entries:
            began = entry.began
            if began is not None and now - began > entry.period and not entry.told_slow:
                entry.told_slow = True
                self._tell_slow(entry, now - began)

    def describe(self) -> list[dict[str, Any]]:
        """The timers, and how they have gone in this worker. Any thread: the numbers are those of the moment.

        `last` is how long ago the last call that has ended began, `took` how long it took, both in seconds.
        """
        now = time.monotonic()
        return [entry.describe(now) for entry in self._entries]

    def _tell_slow(self, entry: _Entry, seconds: float) -> None:
        text = (
            f"{entry.timer} runs for {seconds:.1f} s now, and its period is {entry.period:g} s: calls that are due "
            "meanwhile are left out; this is not logged again until one is quick enough"
        )
        stack = None if entry.timer.is_async else stack_of(self._thread.ident or 0, entry.timer.function)
        if logger.isEnabledFor(logging.WARNING):
            logger.handle(logger.makeRecord(logger.name, logging.WARNING, __file__, 0, text, (), None, sinfo=stack))

    def _running(self) -> list[_Entry]:
        return [entry for entry in self._entries if entry.began is not None]

    # -- the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        for entry in self._entries:
            entry.plan(time.monotonic())
        while not self._stopping:
            entry = min(self._entries, key=lambda one: one.due)
            wait = entry.due - time.monotonic()
            if wait > 0:
                with contextlib.suppress(Empty):
                    self._wake.get(timeout=wait)
            else:
                self._fire(entry)
        with self._change:
            for entry in self._entries:
                if entry.began is None:
                    entry.let_go()

    def _fire(self, entry: _Entry) -> None:
        due, now = entry.due, time.monotonic()
        entry.plan(now)
        if entry.began is not None or not entry.has_turn(due):
            return
        entry.began = now
        if entry.timer.is_async:
            self._hand_over(entry)
            return
        try:
            entry.timer()
        except BaseException as error:  # noqa: BLE001  # a timer must not end a thread of ours
            self._failed(entry, error)
        finally:
            self._ended(entry)
            if entry.due <= time.monotonic():  # it has taken longer than until then: that call is left out
                entry.plan(time.monotonic())

    def _hand_over(self, entry: _Entry) -> None:
        coroutine = self._await(entry)
        try:
            self._spawn(coroutine)
        except RuntimeError as error:  # the loop has ended, and so does the worker, most likely
            coroutine.close()
            if not self._stopping:
                self._failed(entry, error)
            self._ended(entry)

    async def _await(self, entry: _Entry) -> None:
        """On the event loop's thread."""
        try:
            await entry.timer()
        except BaseException as error:  # noqa: BLE001  # as above
            if not (self._stopping and isinstance(error, asyncio.CancelledError)):
                self._failed(entry, error)
        finally:
            self._ended(entry)

    # -- the thread, or the event loop's -------------------------------------------------------------------

    def _ended(self, entry: _Entry) -> None:
        began, now = entry.began, time.monotonic()
        if began is not None:
            entry.runs += 1
            entry.last = began, now - began
            if now - began <= entry.period:
                entry.told_slow = False
            else:
                self.look(now)
        with self._change:
            entry.began = None
            if self._stopping:
                entry.let_go()
                self._change.notify_all()

    def _failed(self, entry: _Entry, error: BaseException) -> None:
        entry.failures += 1
        now = time.monotonic()
        if now < entry.quiet_until:
            entry.held_back += 1
            return
        more = f" ({entry.held_back} more failures of it since the last line)" if entry.held_back else ""
        entry.quiet_until, entry.held_back = now + QUIET, 0
        what = describe(error)
        logger.error(f"{entry.timer} failed: {what}{more}", exc_info=error)
