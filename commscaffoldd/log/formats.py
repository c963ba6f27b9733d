"""A log record as text or as JSON; `terminal.py` has a third form.

Text, one line a record and one more for each line of a traceback, each complete by itself for grep:

    2026-11-23T09:06:32.123+00:00 INFO 4711 worker 3 [3-17.2] commscaffoldd.core.heartbeat: silent for 60 s

The fields are time (UTC), level, pid, role, connection (`-`: none), logger and message.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Final, TypeAlias

from commscaffoldd.log.colours import colours_for
from commscaffoldd.log.escape import escape
from commscaffoldd.log.record import connection_of, details_of, message_of
from commscaffoldd.log.terminal import TerminalFormatter

FORMATS: Final = ("text", "json", "terminal")
Formatter: TypeAlias = "TextFormatter | JsonFormatter | TerminalFormatter"


class TextFormatter(logging.Formatter):
    """Records as lines of text. `role` says which process this is and may be set anew."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, without a newline at the end."""
        connection = connection_of(record) or "-"
        head = (
            f"{_time(record)} {record.levelname} {record.process} {self.role} [{escape(connection)}] "
            f"{escape(record.name)}: "
        )
        lines = [message_of(record), *details_of(record).splitlines()]
        return "\n".join(head + escape(line) for line in lines)


class JsonFormatter(logging.Formatter):
    """Records as JSON, one object a line. `role` says which process this is and may be set anew."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        """The record's object, without a newline at the end; `connection` and `exception` may be null."""
        return json.dumps(
            {
                "time": _time(record),
                "level": record.levelname,
                "pid": record.process,
                "role": self.role,
                "connection": connection_of(record),
                "logger": record.name,
                "message": escape(message_of(record)),
                "exception": details_of(record) or None,
            }
        )


def formatter_for(name: str, role: str, fd: int) -> Formatter:
    """The formatter of this name, one of `FORMATS`, for what is written to `fd`. Raises ValueError for any other."""
    if name == "text":
        return TextFormatter(role)
    if name == "json":
        return JsonFormatter(role)
    if name == "terminal":
        return TerminalFormatter(role, colours_for(fd))
    raise ValueError(f"log format {name!r} is unknown; allowed: {', '.join(FORMATS)}")


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds")
