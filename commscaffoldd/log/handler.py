"""The one handler: a record becomes one write."""

from __future__ import annotations

import logging
import os


class LineHandler(logging.Handler):
    """Writes each record with one `os.write`, so that lines of several processes are never torn.

    A line that cannot be written (disk full) is counted and forgotten: logging never ends what it reports on.
    The first line that can be written again is preceded by one that says how many are missing.
    """

    def __init__(self, fd: int, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._fd = fd
        self._lost = 0
        self._reason = ""
        self._torn = False

    @property
    def lost(self) -> int:
        """Lines lost since the last one that could be written."""
        return self._lost

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record. Called by `logging`, with the handler's lock held."""
        data = self._encode(record)
        if self._lost:
            notice = self._encode(self._notice())
            if not self._write(notice):
                self._lost += 1
                return
            self._lost = 0
        if not self._write(data):
            self._lost += 1

    def _encode(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _write(self, data: bytes) -> bool:
        if self._torn:
            data = b"\n" + data  # the line that was cut off must not swallow this one
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._reason = error.strerror or str(error)
            return False
        self._torn = written < len(data)
        if self._torn:
            self._reason = f"only {written} of {len(data)} bytes could be written"
        return not self._torn

    def _notice(self) -> logging.LogRecord:
        lines = "1 line was" if self._lost == 1 else f"{self._lost} lines were"
        text = f"{lines} lost here: {self._reason}"
        return logging.LogRecord("commscaffoldd.log", logging.WARNING, __file__, 0, text, None, None)
