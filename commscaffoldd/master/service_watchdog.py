"""The service manager's watchdog: told that all is well, but only while every worker that should serve turns.

systemd restarts a service that has not said WATCHDOG=1 for WatchdogSec= (sd_watchdog_enabled(3)). The master speaks
for its workers: each one's reactor writes the moment of its last turn into the shared statistics.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Final

from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.notify import Notifier
from commscaffoldd.master.workers import State, Worker

LOG = logging.getLogger(__name__)

USEC: Final = "WATCHDOG_USEC"
PID: Final = "WATCHDOG_PID"

_NS: Final = 1_000_000_000
_PINGS: Final = 3  # in each interval: one may be late, and one may be lost
_STALE: Final = 2  # a worker is silent after this part of the interval
_LEAST: Final = 1.0  # seconds; a worker that is merely busy publishes less often than four times a second


def watchdog_interval(environment: MutableMapping[str, str], pid: int) -> float:
    """Seconds that the service manager waits for a ping; 0 if it waits for none, or not for the process `pid`.

    The variables are taken out of the environment: workers and what plugins start must not speak for the master.
    """
    microseconds, wanted = environment.pop(USEC, ""), environment.pop(PID, "")
    if wanted and wanted != str(pid):
        return 0.0
    if not microseconds:
        return 0.0
    if not (microseconds.isascii() and microseconds.isdigit()):
        LOG.warning(
            f"{USEC} is {microseconds!r}, which is no number of microseconds: there will be no watchdog pings"
        )
        return 0.0
    return int(microseconds) / 1e6


class ServiceWatchdog:
    """Pings three times in each interval, unless a worker is silent or none serves.

    Args:
        loop: the master's.
        notifier: says it.
        interval: seconds, from `watchdog_interval`; 0: there is nothing to do.
        serving: the workers that should serve. Those of them that are still starting do not count.
    """

    def __init__(
        self, loop: Loop, notifier: Notifier, interval: float, serving: Callable[[], Iterable[Worker]]
    ) -> None:
        self._loop = loop
        self._notifier = notifier
        self._interval = interval
        self._serving = serving
        self._stale_ns = round(max(interval / _STALE, _LEAST) * _NS)
        self._timer: Timer | None = None
        self._first_seen: dict[int, int] = {}  # when a worker was first seen ready, by its number
        self._blamed: set[int] = set()
        self._served_ns = 0
        self._nobody = False

    def environment(self) -> dict[str, str]:
        """The variable by which another process knows that it has to ping."""
        return {USEC: str(round(self._interval * 1e6))} if self._interval > 0 else {}

    def start(self) -> None:
        """Begin, once the daemon is ready: until then the service manager has another limit."""
        if self._interval > 0:
            self._served_ns = time.monotonic_ns()
            self._ping()

    def stop(self) -> None:
        """End: the daemon stops, and the service manager knows that. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ping(self) -> None:
        self._timer = self._loop.call_later(self._interval / _PINGS, self._ping)
        if self._all_is_well(time.monotonic_ns()):
            self._notifier.watchdog()

    def _all_is_well(self, now: int) -> bool:
        ready = [worker for worker in self._serving() if worker.state is State.READY]
        # One that has just become ready has not published yet: its first turn is waited for as long as any other.
        self._first_seen = {one.number: self._first_seen.get(one.number, now) for one in ready}
        silent = {one.number: self._silent_ns(one, now) for one in ready}
        silent = {number: since for number, since in silent.items() if since > self._stale_ns}
        for worker in ready:
            if worker.number in silent and worker.number not in self._blamed:
                LOG.error(
                    f"{worker} hangs: its reactor has not turned for {silent[worker.number] / _NS:.1f} s. "
                    f"systemd's watchdog ({self._interval:g} s) is told nothing until it turns or is replaced"
                )
            elif worker.number in self._blamed and worker.number not in silent:
                LOG.info(f"{worker} turns again")
        self._blamed = set(silent)
        return self._somebody_serves(now, serving=bool(ready)) and not silent

    def _silent_ns(self, worker: Worker, now: int) -> int:
        return now - max(worker.row.read()["turned_ns"], self._first_seen[worker.number])

    def _somebody_serves(self, now: int, *, serving: bool) -> bool:
        if serving:
            self._served_ns = now
            self._nobody = False
            return True
        if now - self._served_ns <= self._stale_ns:
            return True
        if not self._nobody:
            self._nobody = True
            LOG.error(
                f"no worker has served for {(now - self._served_ns) / _NS:.1f} s. "
                f"systemd's watchdog ({self._interval:g} s) is told nothing until one does"
            )
        return False
