"""A log record for somebody who sits before it: short, coloured on a terminal, tracebacks as Python prints them.

    09:06:32.123 worker 1 [1-17.2] handler greet of plugin greet failed: ...
      Traceback (most recent call last):
        File "/home/me/plugins/greet.py", line 6, in greet

The time is that of the clock on the wall. Levels show by their colour, and by their name from warning on.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from commscaffoldd.log.colours import Colours
from commscaffoldd.log.escape import escape
from commscaffoldd.log.record import connection_of, details_of, message_of

_INDENT: Final = "  "


class TerminalFormatter(logging.Formatter):
    """Records for reading, not for grep. `role` says which process this is and may be set anew."""

    def __init__(self, role: str, colours: Colours) -> None:
        super().__init__()
        self.role = role
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, without a newline at the end."""
        begin = self._colour(record.levelno)
        end = self._colours.end if begin else ""
        head, *rest = [escape(line) for line in (message_of(record), *details_of(record).splitlines())]
        named = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        lines = [f"{self._colours.faint}{self._prefix(record)}{self._colours.end} {begin}{named}{head}{end}"]
        lines += [_INDENT + line for line in rest]
        if rest and record.exc_info:
            lines[-1] = f"{_INDENT}{begin}{rest[-1]}{end}"  # what was raised
        return "\n".join(lines)

    def _prefix(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        connection = connection_of(record)
        place = f" [{escape(connection)}]" if connection else ""
        return f"{clock}.{int(record.msecs):03} {self.role}{place}"

    def _colour(self, level: int) -> str:
        if level >= logging.ERROR:
            return self._colours.bad
        if level >= logging.WARNING:
            return self._colours.doubtful
        return "" if level >= logging.INFO else self._colours.faint
