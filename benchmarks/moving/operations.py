"""What disturbs the clients in peace: reloads, recyclings, scalings, upgrades."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final

from benchmarks.moving.daemon import Daemon, wait_for
from benchmarks.moving.load import Load

REST: Final = 0.3  # seconds after an operation that belong to it
CALM: Final = 5.0  # seconds of the baseline
RECYCLED: Final = "is replaced: it has served"


class Operations:
    """Runs them, one after another. `longest` has the longest pause of each, by kind, in seconds."""

    def __init__(self, daemon: Daemon, load: Load, workers: int) -> None:
        self._daemon = daemon
        self._load = load
        self._workers = workers
        self.longest: dict[str, list[float]] = {}

    def baseline(self) -> None:
        """Nothing happens for a while."""
        time.sleep(1.0)
        self._one("no operation", lambda: time.sleep(CALM))

    def reload(self, times: int) -> None:
        """Replace all workers."""
        for _ in range(times):
            self._one("reload", lambda: self._daemon.command("reload"))

    def recycle(self, times: int) -> None:
        """Let workers grow old, until so many have been replaced."""
        if not times:
            return
        self._daemon.configure(max_age=0.5)
        self._daemon.command("reload")
        for _ in range(times):
            before = self._daemon.log().count(RECYCLED)
            self._one("recycling", lambda before=before: self._recycled(before))  # type: ignore[misc]
        self._daemon.configure()
        self._daemon.command("reload")

    def scale(self, times: int) -> None:
        """One worker more and two, and back."""
        for number in range(times):
            count = self._workers + 1 + number % 2
            self._one("scale up", lambda count=count: self._daemon.command("scale", str(count)))  # type: ignore[misc]
            self._one("scale down", lambda: self._daemon.command("scale", str(self._workers)))

    def upgrade(self, times: int) -> None:
        """Replace the master."""
        for _ in range(times):
            self._one("upgrade", lambda: self._daemon.command("upgrade"))

    def _one(self, kind: str, operation: Callable[[], object]) -> None:
        self._load.label(kind)
        operation()
        time.sleep(REST)
        longest = self._load.label("between operations")
        self.longest.setdefault(kind, []).append(longest)

    def _recycled(self, before: int) -> None:
        wait_for("a worker to be replaced", lambda: self._daemon.log().count(RECYCLED) > before)
        wait_for("its successor", self._daemon.is_whole)

    def median(self, kind: str) -> float:
        """The median of the operations' longest pauses, in seconds."""
        return statistics.median(self.longest.get(kind) or [0.0])
