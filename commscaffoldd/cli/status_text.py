"""The answer to `status`, for people. What an older or newer daemon does not tell is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from commscaffoldd.cli.table import pairs, table
from commscaffoldd.cli.units import duration, number, size

_HEADS: Final = (
    ">WORKER",
    ">PID",
    "STATE",
    ">UP",
    ">CONNECTIONS",
    ">MESSAGES IN",
    ">OUT",
    ">QUEUE",
    ">RSS",
)
_TROUBLE: Final = (
    "bad_frames",
    "bad_checksums",
    "unknown_ids",
    "handler_errors",
    "handler_timeouts",
    "quarantined",
    "frame_timeouts",
    "silent_peers",
    "login_timeouts",
    "login_refusals",
    "floods",
    "slow_readers",
    "late_replies",
    "queue_full",
    "accept_failures",
)


def status_text(status: Mapping[str, Any]) -> list[str]:
    """Lines: what it is, its workers, its totals, what went wrong."""
    workers = list(status.get("workers", ()))
    return [
        *_head(status),
        "",
        *table(_HEADS, map(_worker_row, workers)),
        "",
        *pairs(_tail(status, workers)),
    ]


def _head(status: Mapping[str, Any]) -> list[str]:
    listens = [
        f"{listen['address']} (layout {listen['layout']}, {listen['accept']})" for listen in status.get("listen", ())
    ]
    return [
        f"commscaffoldd {status['version']} is {status['state']}",
        *pairs(
            [
                ("pid", str(status["pid"])),
                ("up", f"{duration(status['uptime'])}, since {status['started']}"),
                ("configuration", str(status.get("config", ""))),
                ("log", str(status.get("log") or "standard error")),
                ("engine", str(status.get("engine", ""))),
                *(("" if index else "listening on", text) for index, text in enumerate(listens)),
            ]
        ),
    ]


def _worker_row(worker: Mapping[str, Any]) -> list[str]:
    counted = worker.get("statistics") or {}
    counts = [number(counted.get(key, 0)) for key in ("connections", "messages_in", "messages_out", "queue")]
    pid, rss = worker.get("pid"), worker.get("rss")
    return [
        str(worker["number"]),
        str(pid) if pid else "-",
        str(worker["state"]),
        duration(worker["uptime"]) if pid else "-",
        *counts,
        size(rss) if rss else "-",
    ]


def _tail(status: Mapping[str, Any], workers: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    totals: Mapping[str, int] = status.get("totals") or {}
    open_now = sum((worker.get("statistics") or {}).get("connections", 0) for worker in workers)
    trouble = [f"{name.replace('_', ' ')} {number(totals[name])}" for name in _TROUBLE if totals.get(name)]
    accepted, closed = (number(totals.get(key, 0)) for key in ("accepted", "closed"))
    taken, given = (number(totals.get(key, 0)) for key in ("messages_in", "messages_out"))
    size_in, size_out = (size(totals.get(key, 0)) for key in ("bytes_in", "bytes_out"))
    return [
        ("connections", f"{number(open_now)} open, {accepted} accepted, {closed} closed"),
        ("messages", f"{taken} in ({size_in}), {given} out ({size_out})"),
        ("trouble", ", ".join(trouble) or "none"),
        *_quarantined(status.get("quarantined") or ()),
        ("restarts", _restarts(status.get("restarts") or {})),
        ("last reload", _last_reload(status.get("last_reload"))),
    ]


def _quarantined(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [("" if index else "quarantined", _quarantine(row)) for index, row in enumerate(rows)]


def _quarantine(row: Mapping[str, Any]) -> str:
    last = f"; the last: {row['last']}" if row.get("last") else ""
    until = f"until {row['until']}" if row.get("until") else "being tried again now"
    return (
        f"message ID {row['id']} (handler {row['function']} of plugin {row['plugin']}) in worker {row['worker']}, "
        f"since {row['since']}, {until}: it {row['reason']}{last}"
    )


def _restarts(restarts: Mapping[str, Any]) -> str:
    if not restarts.get("count") and not restarts.get("last"):
        return "none"
    text = number(restarts.get("count", 0))
    if restarts.get("last"):
        text += f"; the last: {restarts['last']}"
    if restarts.get("next_in") is not None:
        text += f"; the next in {restarts['next_in']:.0f} s"
    return text


def _last_reload(reload: Mapping[str, Any] | None) -> str:
    if not reload:
        return "none"
    if reload.get("ok"):
        return f"{reload['at']}: done"
    return f"{reload['at']}: refused: {'; '.join(reload.get('errors', ()))}"
