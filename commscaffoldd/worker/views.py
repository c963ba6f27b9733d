"""What a worker tells of itself when it is asked: its connections, its routes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from commscaffoldd.catalogue.inspection import schema_of
from commscaffoldd.catalogue.making import BodyFacts
from commscaffoldd.core.quarantine import Quarantined
from commscaffoldd.core.slot import Slot
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.catalogue import describe_handlers

MOST: Final = 10_000  # connections in one answer
LONGEST_USER: Final = 200  # characters


def describe_connections(slots: Sequence[Slot], worker: int) -> dict[str, Any]:
    """The connections, the longest ones first. Any thread: the numbers are those of the moment."""
    rows = [row for row in (_describe(slot, worker) for slot in slots[:MOST]) if row is not None]
    rows.sort(key=lambda row: -row["since"])
    return {"connections": rows, "truncated": len(slots) > MOST}


def _describe(slot: Slot, worker: int) -> dict[str, Any] | None:
    connection, endpoint = slot.connection, slot.endpoint
    if connection is None or endpoint is None:  # it has closed since the list was made
        return None
    now = time.monotonic()
    return {
        "worker": worker,
        "id": connection.id,
        "peer": connection.peer,
        "user": _user(connection.user),
        "listen": endpoint.address,
        "layout": endpoint.layout.name,
        "state": slot.state.value,
        "since": round(now - slot.opened_at, 3),
        "idle": round(max(now - slot.last_seen, 0.0), 3),
        "messages_in": slot.messages_in,
        "messages_out": slot.messages_out,
        "waiting": slot.waiting,
        "unsent": slot.unsent,
        "paused": slot.paused,
    }


def _user(user: object) -> str | None:
    """As people know it; a plugin may have a whole dict for it."""
    if user is None:
        return None
    # The name may be of the client's making: it shall do nothing to the terminal that it is shown on.
    text = user if isinstance(user, str) and user.isprintable() else ascii(user)
    return text[:LONGEST_USER]


def describe_routes(host: PluginHost, timeout: float) -> list[dict[str, Any]]:
    """The routes by message ID, with what the handlers' signatures say.

    `timeout` is that of handlers that have none of their own.
    """
    return [
        {
            "id": one.id,
            "plugin": one.plugin,
            "function": one.name,
            "mode": one.mode,
            "timeout": one.timeout,
            "open": one.open,
            "stream": one.stream,
            "doc": one.doc,
            "body": _describe_body(one.body),
            "reply": None if one.reply is None else _describe_body(one.reply),
        }
        for one in describe_handlers(host, timeout)
    ]


def _describe_body(body: BodyFacts) -> dict[str, Any]:
    return {"format": body.format, "type": body.name, "schema": schema_of(body.annotation)}


def describe_quarantined(found: Iterable[Quarantined]) -> list[dict[str, Any]]:
    """The quarantined message IDs; times of day are UTC, as ISO 8601."""
    return [
        {
            "id": one.id,
            "plugin": one.plugin,
            "function": one.function,
            "reason": one.reason,
            "last": one.last,
            "since": _time_of_day(one.since),
            "until": None if one.until is None else _time_of_day(one.until),
            "span": one.span,
        }
        for one in found
    ]


def _time_of_day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")
