"""A canary for a command: configuration and plugins are loaded in a child, never in the command's process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from commscaffoldd.log import open_log
from commscaffoldd.worker.canary import CanaryReport, fork_canary, read_report

_CHUNK: Final = 65536
_TIME_TO_EXIT: Final = 2.0


def run_canary(path: Path, timeout: float, replay: Path | None = None) -> CanaryReport:
    """Load the configuration at `path` and its plugins in a child, and run their self-tests; play a capture perhaps.

    Returns the child's report, also if it died or took longer than `timeout` seconds. The caller must have
    no threads. What plugins print goes to stderr.
    """
    log = open_log(None, "warning", "text")
    log.install("canary")
    try:
        with _output_to_stderr():
            canary = fork_canary(path, log, (), replay, timeout)
    finally:
        log.close()
    try:
        data = _read_all(canary.fd, time.monotonic() + timeout)
    except BaseException:
        _end(canary.pid, 0)
        raise
    finally:
        os.close(canary.fd)
    status = _end(canary.pid, 0 if data is None else _TIME_TO_EXIT)
    return canary.timed_out() if data is None else read_report(data, status)


@contextlib.contextmanager
def _output_to_stderr() -> Iterator[None]:
    """What is forked in here has stderr as its standard output too: ours is the command's result, such as JSON."""
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _read_all(fd: int, deadline: float) -> bytes | None:
    """All that comes until the end of file; `None` if that does not come in time."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    parts: list[bytes] = []
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        data = os.read(fd, _CHUNK)
        if not data:
            return b"".join(parts)
        parts.append(data)
    return None


def _end(pid: int, grace: float) -> int:
    """Wait for the child, kill it if it has not ended after `grace` seconds; returns its wait status."""
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], grace)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    finally:
        os.close(pidfd)
    return os.waitpid(pid, 0)[1]
