"""What `status` shows, read from the shared statistics and /proc without asking a worker."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Iterable
from typing import Any

from commscaffoldd.core.counters import NAMES
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.memory import resident_bytes
from commscaffoldd.master.rows import Rows
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet, Worker
from commscaffoldd.version import __version__


@dataclasses.dataclass(frozen=True, slots=True)
class LastReload:
    """How the last reload went, and when."""

    at: str
    ok: bool
    errors: tuple[str, ...]


class StatusReport:
    """Builds the answer to `status`; knows when the daemon was started."""

    def __init__(self, fleet: Fleet, rows: Rows, engine: str) -> None:
        self._fleet = fleet
        self._rows = rows
        self._engine = engine
        self._began = Loop.now()
        self._started = now_text()

    def build(self, state: str, supervisor: Supervisor, last_reload: LastReload | None) -> JsonObject:
        """The status as the contract of the control socket has it."""
        generation = supervisor.generation
        living = {worker.pid: worker.row.read() for worker in self._fleet.living}
        workers = [_worker(worker, living[worker.pid]) for worker in self._fleet.living]
        workers += [_waiting(vacancy.number) for vacancy in supervisor.vacant.values()]
        workers.sort(key=lambda one: (one["number"], one["pid"]))
        log = generation.log.path
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime": round(Loop.now() - self._began, 3),
            "started": self._started,
            "engine": self._engine,
            "config": str(generation.config.path),
            "log": str(log) if log else "standard error",
            "state": state,
            "listen": [
                {
                    "address": listener.address(),
                    "layout": listener.listen.layout,
                    "accept": listener.listen.accept,
                }
                for listener in generation.listeners
            ],
            "workers": workers,
            "totals": self._rows.totals(list(living.values())),
            "quarantined": quarantined_by(self._fleet.living),
            "restarts": {
                "count": supervisor.restarts.count,
                "last": supervisor.restarts.last,
                "next_in": supervisor.next_in(),
            },
            "last_reload": dataclasses.asdict(last_reload) if last_reload else None,
        }


def now_text() -> str:
    """The time of day, UTC, as ISO 8601."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def open_connections(workers: list[Worker]) -> int:
    """How many connections these workers have, by their statistics."""
    return sum(worker.row.read()["connections"] for worker in workers)


def quarantined_by(workers: Iterable[Worker]) -> list[JsonObject]:
    """The message IDs that these workers have quarantined: a row for each ID and worker."""
    rows = [{"worker": worker.number, **row} for worker in workers for row in worker.quarantined]
    return sorted(rows, key=lambda row: (row["id"], row["worker"]))


def _worker(worker: Worker, statistics: dict[str, int]) -> dict[str, Any]:
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": worker.state.value,
        "uptime": round(worker.age, 3),
        "rss": resident_bytes(worker.pid),
        "statistics": statistics,
    }


def _waiting(number: int) -> dict[str, Any]:
    statistics = dict.fromkeys(NAMES, 0)
    return {
        "number": number,
        "pid": 0,
        "state": "dead: waiting",
        "uptime": 0.0,
        "rss": 0,
        "statistics": statistics,
    }
