"""A lock between processes: flock(2) on a file that each process opens for itself.

The kernel lets go of it when its holder dies, however that happens. (A descriptor inherited by fork would be the same
lock in all of them, and exclude nobody.)
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """The lock. One thread of the process.

    Attributes:
        fd: the file's descriptor.
        held: whether this process has it.
    """

    def __init__(self, path: Path) -> None:
        """Open the lock file. Raises OSError. Call it after the fork."""
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held = False

    def try_acquire(self) -> bool:
        """Take it if nobody else holds it; never waits."""
        if not self.held:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self.held = True
        return True

    def release(self) -> None:
        """Let others have it."""
        if self.held:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            self.held = False

    def close(self) -> None:
        """Let go of it for good."""
        os.close(self.fd)
