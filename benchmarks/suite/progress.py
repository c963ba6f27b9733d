"""What the runner says while it runs."""

from __future__ import annotations

import time

from benchmarks.suite.results import Run


class Progress:
    """Prints one line for each measurement, with an estimate of the time that is left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()

    def show(self, run: Run) -> None:
        """One measurement is done."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        where = f"[{self._done}/{self._total}, {duration(left)} left] round {run.round} {run.scenario} {run.server}"
        print(f"{where}: {outcome(run)}", flush=True)


def outcome(run: Run) -> str:
    """A measurement in a few words."""
    if run.failure:
        return f"FAILED: {run.failure}"
    if run.load is None:
        return f"{run.idle_bytes:,.0f} bytes for a connection"
    fast = run.load.fast
    return f"{fast.rate:,.0f}/s, p99 {fast.p99_us:,.0f} µs, {run.load.cpu_us_per_message:.2f} µs CPU/message"


def duration(seconds: float) -> str:
    """As minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
