"""A fleet with programs in the place of workers."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from commscaffoldd.config.schema import Config, Daemon
from commscaffoldd.core.counters import Statistics, StatisticsRow
from commscaffoldd.log import open_log
from commscaffoldd.master.batch import Batch, BatchResult
from commscaffoldd.master.children import Children
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.listeners import ListenerSet
from commscaffoldd.master.questions import Questions
from commscaffoldd.master.rows import Rows
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet, Worker

PROLOGUE = """
import json, os, socket, sys, time
channel_socket = socket.socket(fileno=int(sys.argv[1]))
channel = channel_socket.makefile("rb")
def say(**message):
    channel_socket.sendall(json.dumps(message).encode() + b"\\n")
"""
SERVE = """
for line in channel:
    command = json.loads(line)
    if command["command"] in ("stop", "quit"):
        os._exit(0)
    if command["command"] == "routes":
        say(event="answer", request=command["request"], routes=[command["request"]])
    if command["command"] == "connections":
        say(event="answer", request=command["request"], error="no idea")
"""
NORMAL = "say(event='ready')" + SERVE


@dataclasses.dataclass
class Observed:
    """Hears what becomes of its workers."""

    ready: list[Worker] = dataclasses.field(default_factory=list)
    leaving: list[Worker] = dataclasses.field(default_factory=list)
    ended: list[str] = dataclasses.field(default_factory=list)
    hung: list[Worker] = dataclasses.field(default_factory=list)

    def worker_ready(self, worker: Worker) -> None:
        self.ready.append(worker)

    def worker_leaving(self, worker: Worker) -> None:
        self.leaving.append(worker)

    def worker_hung(self, worker: Worker, _what: str) -> None:
        self.hung.append(worker)

    def worker_ended(self, _worker: Worker, reason: str) -> None:
        self.ended.append(reason)


class FleetRig:
    """A fleet whose workers run `source`."""

    def __init__(self, loop: Any, folder: Path) -> None:
        self.loop = loop
        self.source = NORMAL
        self.slots: list[int] = []
        self.failing: list[OSError] = []
        self.children = Children()
        self.questions = Questions(loop)
        self.rows = Rows(Statistics(8))
        self.observed = Observed()
        self.supervisor: Supervisor | None = None
        daemon = Daemon(workers=2, run_dir=str(folder), start_timeout=20.0, stop_timeout=20.0)
        config = Config(path=folder / "c.toml", daemon=daemon)
        self.generation = Generation(1, config, open_log(None, "info", "text"), ListenerSet(()))
        self.fleet = Fleet(
            loop=loop,
            children=self.children,
            rows=self.rows,
            spawn=self.spawn,
            answered=self.questions.answered,
            handing_over=lambda _worker, _message: None,
            born=lambda _: None,
            gone=self.questions.gone,
        )

    def spawn(
        self, _generation: Generation, _number: int, slot: int, _row: StatisticsRow
    ) -> tuple[int, socket.socket, socket.socket]:
        self.slots.append(slot)
        if self.failing:
            raise self.failing.pop()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-S", "-c", PROLOGUE + self.source, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        process.returncode = 0  # the fleet reaps it
        theirs.close()
        orders, unused = socket.socketpair()
        unused.close()
        return process.pid, ours, orders

    def start(self, source: str = NORMAL) -> Worker:
        self.source = source
        return self.fleet.start(self.generation, 1, self.observed)

    def limited(self, **times: float) -> None:
        config = self.generation.config
        daemon = Daemon(**{"run_dir": config.daemon.run_dir, "workers": 2, **times})  # type: ignore[arg-type]
        config = Config(path=config.path, daemon=daemon)
        self.generation = dataclasses.replace(self.generation, config=config)

    def batch(self, slots: Sequence[int], progress: Callable[[str], None] = print) -> BatchResult:
        """Start a worker in each slot, and wait for what comes of it."""
        results: list[BatchResult] = []
        Batch(self.fleet, self.generation, slots, progress, results.append).start()
        self.until(lambda: results)
        return results[0]

    def supervise(self, *slots: int) -> Supervisor:
        """A supervisor of workers in these slots; they retire without handing anything over."""

        def retire(workers: Sequence[Worker]) -> None:
            for worker in workers:
                self.fleet.retire(worker, self.generation.config.daemon.stop_timeout)

        self.supervisor = Supervisor(self.loop, self.fleet, self.generation, lambda: None, retire)
        self.supervisor.adopt(self.generation, self.batch(slots).workers)
        return self.supervisor

    def end(self) -> None:
        """End all workers."""
        if self.supervisor is not None:
            self.supervisor.hold()  # else it replaces those that end now
        for worker in self.fleet.living:
            self.fleet.quit(worker)
        self.until(lambda: not self.fleet.living)

    def until(self, condition: Any) -> None:
        def reaped() -> Any:
            self.children.reap()
            return condition()

        self.loop.until(reaped)
