"""What every format takes from a log record."""

from __future__ import annotations

import logging
import traceback


def connection_of(record: logging.LogRecord) -> str | None:
    """The connection that it belongs to."""
    connection = getattr(record, "connection", None)
    return None if connection is None else str(connection)


def message_of(record: logging.LogRecord) -> str:
    """Its text; never raises."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  # a wrong log call in a plugin must not end what it reports on
        return f"{record.msg!r} with {record.args!r} cannot be formatted: {error!r}"


def details_of(record: logging.LogRecord) -> str:
    """Its traceback and stack, on lines of their own; empty if it has none."""
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append("".join(traceback.format_exception(*record.exc_info)))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(part.rstrip("\n") for part in parts)
