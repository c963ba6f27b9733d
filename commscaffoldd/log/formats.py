"""A log record as text or as JSON.

Text, one line a record and one more for each line of a traceback, each complete by itself for grep:

    2026-11-23T09:06:32.123+00:00 INFO 4711 worker 3 [3-17.2] commscaffoldd.core.heartbeat: silent for 60 s

The fields are time (UTC), level, pid, role, connection (`-`: none), logger and message.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import traceback
from typing import Final

from commscaffoldd.log.escape import escape

FORMATS: Final = ("text", "json")


class TextFormatter(logging.Formatter):
    """Records as lines of text. `role` says which process this is and may be set anew."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, without a newline at the end."""
        connection = _connection(record) or "-"
        head = (
            f"{_time(record)} {record.levelname} {record.process} {self.role} [{escape(connection)}] "
            f"{escape(record.name)}: "
        )
        lines = [_message(record), *_details(record).splitlines()]
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
                "connection": _connection(record),
                "logger": record.name,
                "message": escape(_message(record)),
                "exception": _details(record) or None,
            }
        )


def formatter_for(name: str, role: str) -> TextFormatter | JsonFormatter:
    """The formatter of this name, one of `FORMATS`. Raises ValueError for any other."""
    if name == "text":
        return TextFormatter(role)
    if name == "json":
        return JsonFormatter(role)
    raise ValueError(f"log format {name!r} is unknown; allowed: {', '.join(FORMATS)}")


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds")


def _connection(record: logging.LogRecord) -> str | None:
    connection = getattr(record, "connection", None)
    return None if connection is None else str(connection)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  # a wrong log call in a plugin must not end what it reports on
        return f"{record.msg!r} with {record.args!r} cannot be formatted: {error!r}"


def _details(record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append("".join(traceback.format_exception(*record.exc_info)))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(part.rstrip("\n") for part in parts)
