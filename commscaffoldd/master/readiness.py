"""The pipe by which a daemon tells the command that started it: ready, or why not.

python-daemon's first parent ends at once and with code 0, whatever becomes of the daemon. So the command keeps a
process in front of it and waits here. The pipe's end without a word means that the daemon is gone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import time
from typing import Final

import msgspec

_CHUNK: Final = 65536


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The daemon serves.

    Attributes:
        pid: the master's.
        listening: addresses with their real ports.
        workers: their pids.
        layouts: the header layout that is spoken at each address.
    """

    pid: int
    listening: tuple[str, ...]
    workers: tuple[int, ...]
    layouts: tuple[str, ...]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The daemon has ended, or is about to."""

    errors: tuple[str, ...]
    exit_code: int


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The daemonised process is there and has begun; its word about readiness is to come."""

    pid: int


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What the waiting side knows: the last word, if there was one, and the daemon's pid, if it came so far."""

    word: Ready | Failed | None
    pid: int | None
    timed_out: bool = False


class Announcer:
    """The daemon's end of the pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._fd

    def started(self) -> None:
        """Say this process's pid."""
        self._say(Started(os.getpid()))

    def announce(self, word: Ready | Failed) -> None:
        """Say the last word, and close. May be called again; only the first word counts."""
        self._say(word)
        self.close()

    def close(self) -> None:
        """Close without a word. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _say(self, word: Started | Ready | Failed) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # nobody waits any more: the daemon lives on
                _write_all(self._fd, msgspec.json.encode(word) + b"\n")


class Waiter:
    """The starting command's end of the pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.pid: int | None = None

    def wait(self, timeout: float) -> Outcome:
        """Wait for the last word, the pipe's end or the time's."""
        deadline = time.monotonic() + timeout
        received = b""
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                return Outcome(None, self.pid, timed_out=True)
            data = os.read(self._fd, _CHUNK)
            if not data:
                return Outcome(None, self.pid)
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                word = msgspec.json.decode(line, type=Started | Ready | Failed)
                if not isinstance(word, Started):
                    return Outcome(word, self.pid)
                self.pid = word.pid

    def close(self) -> None:
        """Close. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def readiness_pipe() -> tuple[Waiter, Announcer]:
    """Both ends; each process closes the one it does not use."""
    reading, writing = os.pipe()
    return Waiter(reading), Announcer(writing)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
