"""The living workers: one object each, and the fleet that starts, ends and reaps them."""

from __future__ import annotations

import enum
import logging
import signal
import socket
from collections.abc import Callable
from typing import Final, Protocol

from commscaffoldd.core.counters import StatisticsRow
from commscaffoldd.master.children import Children, describe_end
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.lines import JsonObject, LineStream
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.rows import NoRowError, Rows

LOG = logging.getLogger(__name__)

_MAX_LINE: Final = 16 << 20  # a list of 10,000 connections is about 3 MB
_MAX_UNSENT: Final = 1 << 18
_AFTER_STOP: Final = 1.0  # seconds over the time that a worker was given, then SIGKILL
_AFTER_QUIT: Final = 1.0
_AFTER_WORD: Final = 3.0  # seconds for a worker to end by itself after it said that it failed, or fell silent


class State(enum.Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"


class StartError(Exception):
    """A worker could not even be forked; str() says why."""


class Observer(Protocol):
    """Who is responsible for a worker, and so hears what becomes of it."""

    def worker_ready(self, worker: Worker) -> None:
        """The worker serves."""

    def worker_leaving(self, worker: Worker) -> None:
        """The worker has begun to stop without having been told to."""

    def worker_hung(self, worker: Worker, what: str) -> None:
        """Hung handlers hold all of `what`; said again and again while it is so."""

    def worker_ended(self, worker: Worker, reason: str) -> None:
        """The process is gone and reaped."""


class Spawn(Protocol):
    """What forks: `Spawner.spawn`."""

    def __call__(
        self, generation: Generation, number: int, slot: int, row: StatisticsRow, /
    ) -> tuple[int, socket.socket, socket.socket]:
        """Fork worker `number`, with the sockets of `slot`.

        Returns pid and our ends of its channel and of the socket for orders. Raises OSError.
        """


class Worker:
    """One worker process, from fork until it is reaped.

    Attributes:
        number: its name; no other worker gets it while the master lives.
        slot: its place, from 1 to the number of workers that are wanted; its replacement gets the same.
        failure: what it said about why it cannot start: kind and errors.
        got_ready: whether it ever was ready.
        orders: our end of the socket for orders that come with descriptors.
        quarantined: its quarantined message IDs, as it has last told.
        hung: why it is killed, if its reactor hangs; empty: it does not.
    """

    def __init__(
        self,
        *,
        number: int,
        slot: int,
        pid: int,
        generation: Generation,
        observer: Observer,
        row: tuple[int, StatisticsRow],
    ) -> None:
        self.number = number
        self.slot = slot
        self.pid = pid
        self.generation = generation
        self.observer = observer
        self.row_index, self.row = row
        self.started = Loop.now()
        self.state = State.STARTING
        self.got_ready = False
        self.failure: tuple[str, tuple[str, ...]] | None = None
        self.quarantined: list[JsonObject] = []
        self.hung = ""
        self.stream: LineStream | None = None
        self.orders: socket.socket | None = None
        self.timer: Timer | None = None

    def __str__(self) -> str:
        """As it is named in logs and messages."""
        return f"worker {self.number} (pid {self.pid})"

    @property
    def age(self) -> float:
        """Seconds since it was forked."""
        return Loop.now() - self.started

    def send(self, message: JsonObject) -> None:
        """Send a command; nothing happens if the channel is closed."""
        if self.stream is not None:
            self.stream.send(message)


class Fleet:
    """Every worker process that lives, whatever its generation."""

    def __init__(
        self,
        *,
        loop: Loop,
        children: Children,
        rows: Rows,
        spawn: Spawn,
        answered: Callable[[Worker, JsonObject], None],
        handing_over: Callable[[Worker, JsonObject], None],
        born: Callable[[Worker], None],
        gone: Callable[[Worker], None],
        first_number: int = 1,
    ) -> None:
        self._loop = loop
        self._children = children
        self._rows = rows
        self._spawn = spawn
        self._answered = answered
        self._handing_over = handing_over
        self._born = born
        self._gone = gone
        self.next_number = first_number
        self.living: list[Worker] = []

    def start(self, generation: Generation, slot: int, observer: Observer) -> Worker:
        """Fork a worker for this slot; it has its generation's `start_timeout` to become ready. Raises StartError."""
        number, self.next_number = self.next_number, self.next_number + 1
        try:
            index, row = self._rows.take()
        except NoRowError as error:
            raise StartError(f"worker {number} cannot start: {error}") from error
        try:
            pid, channel, orders = self._spawn(generation, number, slot, row)
        except OSError as error:
            self._rows.give_back(index)
            raise StartError(f"worker {number} cannot be forked: {error.strerror}") from error
        worker = Worker(
            number=number,
            slot=slot,
            pid=pid,
            generation=generation,
            observer=observer,
            row=(index, row),
        )
        worker.orders = orders
        worker.stream = LineStream(self._loop, channel, _Channel(self, worker), _MAX_LINE, _MAX_UNSENT)
        self._children.add(pid, lambda status: self._ended(worker, status))
        self.living.append(worker)
        self._born(worker)
        seconds = generation.config.daemon.start_timeout
        self._set_timer(worker, seconds, lambda: self._too_late(worker, seconds))
        return worker

    def retire(self, worker: Worker, timeout: float) -> None:
        """Let it finish what it has, for at most `timeout` seconds."""
        worker.state = State.RETIRING
        worker.send({"command": "stop", "timeout": timeout})
        self._set_timer(worker, timeout + _AFTER_STOP, lambda: self.kill(worker, "did not stop in time"))

    def quit(self, worker: Worker) -> None:
        """End it at once, its connections with it."""
        worker.state = State.RETIRING
        worker.send({"command": "quit"})
        self._set_timer(worker, _AFTER_QUIT, lambda: self.kill(worker, "did not quit"))

    def kill(self, worker: Worker, why: str) -> None:
        """End it by force, its connections with it."""
        LOG.error(f"{worker} {why}; it is killed")
        self._children.kill(worker.pid, signal.SIGKILL)

    def fds(self) -> list[int]:
        """The master's ends of all channels and sockets for orders."""
        fds = [worker.stream.fileno() for worker in self.living if worker.stream and worker.stream.open]
        return fds + [worker.orders.fileno() for worker in self.living if worker.orders]

    def heard(self, worker: Worker, message: JsonObject) -> None:
        """A worker has said something."""
        match message.get("event"):
            case "ready" if worker.state is State.STARTING:
                worker.state = State.READY
                worker.got_ready = True
                self._set_timer(worker, None, None)
                worker.observer.worker_ready(worker)
            case "failed":
                errors = tuple(str(error) for error in message.get("errors") or ())
                worker.failure = (str(message.get("kind")), errors)
                self._set_timer(worker, _AFTER_WORD, lambda: self.kill(worker, "failed and did not end"))
            case "stopping" if worker.state is not State.RETIRING:
                worker.state = State.RETIRING
                seconds = worker.generation.config.daemon.stop_timeout + _AFTER_STOP
                self._set_timer(worker, seconds, lambda: self.kill(worker, "did not stop in time"))
                worker.observer.worker_leaving(worker)
            case "handover":
                self._handing_over(worker, message)
            case "hung" if worker.state is State.READY:
                worker.observer.worker_hung(worker, str(message["what"]))
            case "quarantine":
                worker.quarantined = list(message.get("quarantined") or ())
            case "answer":
                self._answered(worker, message)
            case "ready" | "stopping" | "hung":
                pass  # it is being stopped already
            case event:
                LOG.warning(f"{worker} sent an event that is unknown: {event!r}")

    def silent(self, worker: Worker, reason: str) -> None:
        """A worker's channel has ended. It sees the same and ends; if not, it is killed."""
        if reason:
            LOG.error(f"{worker}: channel closed: {reason}")
        self._set_timer(worker, _AFTER_WORD, lambda: self.kill(worker, "closed its channel and did not end"))

    def _set_timer(self, worker: Worker, delay: float | None, callback: Callable[[], None] | None) -> None:
        if worker.timer is not None:
            worker.timer.cancel()
            worker.timer = None
        if delay is not None and callback is not None:
            worker.timer = self._loop.call_later(delay, callback)

    def _too_late(self, worker: Worker, seconds: float) -> None:
        worker.failure = ("start", (f"{worker} was not ready within {seconds:g} s",))
        self.kill(worker, f"was not ready within {seconds:g} s")

    def _ended(self, worker: Worker, status: int) -> None:
        if worker.stream is not None:
            worker.stream.drain()  # its last words may still be unread
            worker.stream.close()
        if worker.orders is not None:
            worker.orders.close()
            worker.orders = None
        self._set_timer(worker, None, None)
        self.living.remove(worker)
        self._rows.give_back(worker.row_index)
        self._gone(worker)
        worker.observer.worker_ended(worker, _reason(worker, status))


class _Channel:
    """Ties a stream to its worker."""

    def __init__(self, fleet: Fleet, worker: Worker) -> None:
        self._fleet = fleet
        self._worker = worker

    def received(self, message: JsonObject) -> None:
        self._fleet.heard(self._worker, message)

    def ended(self, reason: str) -> None:
        self._fleet.silent(self._worker, reason)


def _reason(worker: Worker, status: int) -> str:
    if worker.failure is not None:
        return f"{worker} could not start: {'; '.join(worker.failure[1]) or describe_end(status)}"
    if worker.hung:
        return f"{worker} was killed: {worker.hung}"
    if worker.state is State.RETIRING and status == 0:
        return f"{worker} has stopped"
    return f"{worker} died: {describe_end(status)}"
