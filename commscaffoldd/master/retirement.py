"""Retiring workers: first their connections are handed over to those that serve, then they stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from commscaffoldd.config.schema import Daemon
from commscaffoldd.master.handover import Handovers, Outcome
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.status import open_connections
from commscaffoldd.master.workers import Fleet, State, Worker
from commscaffoldd.worker.handover.reasons import NO_RECEIVER

LOG = logging.getLogger(__name__)

_AGAIN: Final = 0.2  # seconds until it is tried again when nobody was there to take connections
_TELL_EVERY: Final = 0.5


class Retirements:
    """Retires workers of the generation in use."""

    def __init__(
        self, loop: Loop, fleet: Fleet, handovers: Handovers, connect: Callable[[Worker], list[socket.socket]]
    ) -> None:
        """`connect` brings a worker together with those that take its connections; empty if there are none now."""
        self._loop = loop
        self._fleet = fleet
        self._handovers = handovers
        self._connect = connect
        self._going_on = 0

    @property
    def going_on(self) -> bool:
        """Whether connections are being handed over because their workers retire."""
        return self._going_on > 0

    def begin(
        self,
        workers: Sequence[Worker],
        daemon: Daemon,
        progress: Callable[[str], None] = lambda _: None,
        done: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        """Retire these together.

        Args:
            workers: who serve no more.
            daemon: has the timeouts.
            progress: hears how far it is.
            done: hears once, when all have handed over what they could, what became of the connections.
        """

        def finished(outcome: Outcome) -> None:
            self._going_on -= 1
            done(outcome)

        self._going_on += 1
        _Retirement(self._loop, self._fleet, self._handovers, self._connect, daemon, progress, finished).start(
            workers
        )


class _Retirement:
    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        handovers: Handovers,
        connect: Callable[[Worker], list[socket.socket]],
        daemon: Daemon,
        progress: Callable[[str], None],
        done: Callable[[Outcome], None],
    ) -> None:
        self._loop = loop
        self._fleet = fleet
        self._handovers = handovers
        self._connect = connect
        self._timeout = daemon.handover_timeout
        self._stop_timeout = daemon.stop_timeout
        self._progress = progress
        self._done = done
        self._deadline = 0.0
        self._latest: dict[Worker, Outcome] = {}
        self._total = Outcome()
        self._open: set[Worker] = set()
        self._told = 0.0

    def start(self, workers: Sequence[Worker]) -> None:
        self._deadline = self._loop.now() + self._timeout
        self._open = set(workers)
        if not workers:
            self._done(self._total)
        for worker in workers:
            worker.state = State.RETIRING
            self._hand_over(worker)

    def _hand_over(self, worker: Worker) -> None:
        left = self._deadline - self._loop.now()
        if worker not in self._fleet.living or left <= 0:
            self._retire(worker)
            return
        ends = self._connect(worker)
        if not ends:
            if open_connections([worker]):
                self._loop.call_later(_AGAIN, lambda: self._hand_over(worker))
            else:
                self._retire(worker)
            return
        self._handovers.begin(
            worker,
            ends,
            count=None,
            timeout=left,
            progress=lambda outcome: self._tell(worker, outcome),
            done=lambda outcome: self._handed_over(worker, outcome),
        )

    def _tell(self, worker: Worker, outcome: Outcome) -> None:
        self._latest[worker] = outcome
        if self._loop.now() - self._told >= _TELL_EVERY:
            self._told = self._loop.now()
            total = self._total
            for one in self._latest.values():
                total = total.plus(one)
            if total.left:
                self._progress(f"handing connections over: {total.moved} have moved, {total.left} are left")

    def _handed_over(self, worker: Worker, outcome: Outcome) -> None:
        self._latest.pop(worker, None)
        again = outcome.kept.get(NO_RECEIVER, 0) and worker in self._fleet.living
        kept = {reason: number for reason, number in outcome.kept.items() if not (again and reason == NO_RECEIVER)}
        self._total = self._total.plus(Outcome(outcome.moved, kept))
        if again and self._loop.now() < self._deadline:
            self._loop.call_later(_AGAIN, lambda: self._hand_over(worker))
            return
        stayed = sum(kept.values())
        LOG.info(f"{worker} handed {outcome.moved} connections over, {stayed} stay until it ends")
        for reason, number in kept.items():
            LOG.warning(f"{worker}: {number} connections could not be handed over: {reason}")
        self._retire(worker)

    def _retire(self, worker: Worker) -> None:
        if worker in self._fleet.living:
            self._fleet.retire(worker, self._stop_timeout)
        self._open.discard(worker)
        if not self._open:
            self._done(self._total)
