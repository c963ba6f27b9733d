"""Child processes, each known by its pid, and what is called when one has ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

Ended = Callable[[int], None]
"""Called with the wait status, as `os.waitstatus_to_exitcode` takes it."""


class Children:
    """Reaps the children that were entered here, and no others: another library may wait for its own."""

    def __init__(self) -> None:
        self._ended: dict[int, Ended] = {}

    def add(self, pid: int, ended: Ended) -> None:
        """Call `ended` from `reap` once this child has ended."""
        self._ended[pid] = ended

    def kill(self, pid: int, number: int) -> None:
        """Send a signal to a child that was not reaped yet; for any other pid nothing happens."""
        if pid in self._ended:  # else the pid may be somebody else's by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def reap(self) -> None:
        """Call for each child that has ended. Never blocks."""
        for pid in list(self._ended):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found, status = pid, 0  # reaped by somebody else; how it ended is not known
            if found:
                self._ended.pop(pid)(status)


def describe_end(status: int) -> str:
    """How a process ended, in words: "signal 9 (SIGKILL)" or "exit code 1"."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"
