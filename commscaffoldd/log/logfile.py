"""The file, or standard error, that all processes log to."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Final

from commscaffoldd.log.formats import formatter_for
from commscaffoldd.log.handler import LineHandler

ROOT: Final = "commscaffoldd"  # every logger of ours, and of plugins, is below this one
LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FILE_MODE: Final = 0o640
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


class LogFile:
    """An open log. Forked processes share it: each line is one write to a descriptor opened with O_APPEND.

    `reopen` and `close` belong to the thread that runs the process; the rest may be called from any.
    Logging itself is safe from any thread.
    """

    def __init__(self, path: Path | None, fd: int, level: str, format: str) -> None:  # noqa: A002  # the key's name
        self.path = path
        self.level = level
        self.format = format
        self._fd = fd
        self._formatter = formatter_for(format, "", fd)
        self._handler = LineHandler(fd, self._formatter)

    def fileno(self) -> int:
        """The descriptor; `reopen` does not change it."""
        return self._fd

    def install(self, role: str) -> None:
        """Make this the one place that loggers below `commscaffoldd` write to, as `role`."""
        self.set_role(role)
        logger = logging.getLogger(ROOT)
        logger.handlers[:] = [self._handler]
        logger.setLevel(LEVELS[self.level])
        logger.propagate = False

    def set_role(self, role: str) -> None:
        """Say from now on that lines come from `role`: "master", "worker 3", "canary"."""
        self._formatter.role = role

    def reopen(self) -> None:
        """Open the path anew, after the file was moved away.

        Raises OSError if that is impossible; the old file then stays in use.
        """
        if self.path is None:
            return
        new = os.open(self.path, _FLAGS, _FILE_MODE)
        try:
            # The same number: no holder needs to hear of it, no thread that writes just now is torn.
            os.dup2(new, self._fd, inheritable=False)
        finally:
            os.close(new)

    def close(self) -> None:
        """Undo `install`, if no other log has been installed since, and close the file, not standard error.

        May be called twice.
        """
        logger = logging.getLogger(ROOT)
        if self._handler in logger.handlers:
            logger.handlers.remove(self._handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
        if self.path is not None and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def open_log(file: Path | None, level: str, format: str) -> LogFile:  # noqa: A002  # the configuration key's name
    """Open the log: a file, made with mode 0640 if need be, or standard error for None.

    Raises OSError if the file cannot be opened, ValueError for an unknown level or format.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is unknown; allowed: {', '.join(LEVELS)}")
    formatter_for(format, "", 2)
    if file is None:
        sys.stderr.flush()
        return LogFile(None, 2, level, format)
    return LogFile(file, os.open(file, _FLAGS, _FILE_MODE), level, format)
