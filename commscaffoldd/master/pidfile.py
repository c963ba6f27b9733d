"""The pidfile, held by flock(2): whoever holds the lock is the daemon, and a killed one holds nothing.

The command that starts the daemon acquires it before it forks; the descriptor, and with it the lock, is inherited.
Every other child closes its copy, since the lock is free only when the last copy is closed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_TRIES: Final = 10
_STEP: Final = 0.02


class AlreadyRunning(Exception):  # noqa: N818  # a state of things, told by its name
    """Another process holds the pidfile. `pid` is 0 if it has not written its pid yet."""

    def __init__(self, path: Path, pid: int) -> None:
        self.pid = pid
        who = f"pid {pid}" if pid else "another start is under way"
        super().__init__(f"commscaffoldd is running already: {who} (pidfile {path})")


class Pidfile:
    """A pidfile that is held from `acquire` to `release`.

    As a context manager, which is how python-daemon uses it, entering writes the pid of the process that enters, and
    leaving releases. `previous` is the pid that an earlier daemon left behind because it did not end properly, or 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.previous = 0
        self._fd = -1

    @classmethod
    def inherited(cls, path: Path, fd: int) -> Pidfile:
        """One that another process has acquired, by its descriptor: the lock is that of both."""
        made = cls(path)
        made._fd = fd
        return made

    def acquire(self) -> None:
        """Take the lock. Raises AlreadyRunning if another process has it, OSError if the file cannot be used."""
        held_by = None
        for _ in range(_TRIES):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held_by = _read(fd)
                os.close(fd)
                time.sleep(_STEP)  # it may only be somebody who asks, in `running_pid`
                continue
            except BaseException:
                os.close(fd)
                raise
            # The one who held it may have removed the file between our open and our lock: then we hold a lock
            # that nobody else can see.
            if _is_at(fd, self.path):
                self.previous = _read(fd)
                os.ftruncate(fd, 0)
                self._fd = fd
                return
            os.close(fd)
        if held_by is not None:
            raise AlreadyRunning(self.path, held_by)
        raise OSError(errno.EBUSY, "the pidfile is removed again and again by other processes", str(self.path))

    def fileno(self) -> int:
        """The locked descriptor, -1 if not held."""
        return self._fd

    def write(self) -> None:
        """Write this process's pid."""
        text = f"{os.getpid()}\n".encode()
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))

    def release(self) -> None:
        """Remove the file and give up the lock. May be called twice."""
        if self._fd < 0:
            return
        if _is_at(self._fd, self.path):
            with contextlib.suppress(OSError):  # run_dir may be another user's by now; an unlocked file is harmless
                self.path.unlink()
        self.leave()

    def leave(self) -> None:
        """Close this process's copy; the lock stays with those who have inherited it. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Write this process's pid."""
        self.write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release."""
        self.release()


def running_pid(path: Path) -> int | None:
    """The pid of the daemon that holds the lock; 0 if it has not written its pid yet; None if there is none.

    Raises PermissionError if the file cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        # A shared lock asks without disturbing: two that ask at once do not take each other for the daemon.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    finally:
        os.close(fd)
    return None


def wait_until_free(path: Path, timeout: float, clock: Callable[[], float] = time.monotonic) -> bool:
    """Whether the lock became free within `timeout` seconds."""
    end = clock() + timeout
    while running_pid(path) is not None:
        if clock() >= end:
            return False
        time.sleep(_STEP)  # flock with a time limit does not exist
    return True


def _read(fd: int) -> int:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else 0


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
