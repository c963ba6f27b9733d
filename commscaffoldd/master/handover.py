"""Handovers, as the master sees them: it brings two workers together, and hears what comes of it.

The connections themselves never pass the master: it gives each side one end of a socket pair. See `worker.handover`.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from commscaffoldd.core.descriptors import MOST_IN_A_MESSAGE
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.packets import send_packet
from commscaffoldd.master.workers import Worker

LOG = logging.getLogger(__name__)

_AFTER_TIMEOUT: Final = 5.0  # seconds for a worker to say that its time is over; then it is not asked any more

_UNREACHED: Final = "the worker did not answer"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a handover.

    Attributes:
        moved: connections that another worker has now.
        kept: how many stayed, by reason.
        left: connections that had not gone yet; of one that is not over.
    """

    moved: int = 0
    kept: Mapping[str, int] = dataclasses.field(default_factory=dict)
    left: int = 0

    def plus(self, other: Outcome) -> Outcome:
        """Both together."""
        kept = Counter(self.kept) + Counter(other.kept)
        return Outcome(self.moved + other.moved, dict(kept), self.left + other.left)


@dataclasses.dataclass(slots=True)
class _Running:
    worker: Worker
    progress: Callable[[Outcome], None]
    done: Callable[[Outcome], None]
    timer: Timer
    latest: Outcome = dataclasses.field(default_factory=Outcome)


class Handovers:
    """All handovers that are going on, by number. A worker obeys one after another."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._numbers = itertools.count(1)
        self._running: dict[int, _Running] = {}

    def begin(
        self,
        worker: Worker,
        ends: Sequence[socket.socket],
        *,
        count: int | None,
        timeout: float,
        progress: Callable[[Outcome], None],
        done: Callable[[Outcome], None],
    ) -> None:
        """Let a worker hand connections over.

        Args:
            worker: gives; with a count of `None` it stops accepting, for good.
            ends: of socket pairs, to those who take, evenly; see `connect`. They are closed here.
            count: how many connections; `None`: all of them.
            timeout: seconds after which who is not ready stays.
            progress: hears now and then how far it is.
            done: hears once what came of it, also if the worker dies.
        """
        number = next(self._numbers)
        timer = self._loop.call_later(timeout + _AFTER_TIMEOUT, lambda: self._too_late(number))
        self._running[number] = _Running(worker, progress, done, timer)
        order = {"order": "hand over", "number": number, "count": count, "timeout": timeout}
        try:
            if not _order(worker, order, ends):
                self._finish(number, Outcome(0, {_UNREACHED: 1}))
        finally:
            for end in ends:
                end.close()

    def heard(self, worker: Worker, message: JsonObject) -> None:
        """A giving worker says how far it is."""
        number = message.get("number")
        running = self._running.get(number) if isinstance(number, int) else None
        if not isinstance(number, int) or running is None or running.worker is not worker:
            return
        kept = {str(reason): int(number) for reason, number in (message.get("kept") or {}).items()}
        running.latest = Outcome(int(message.get("moved") or 0), kept, int(message.get("left") or 0))
        if message.get("done"):
            self._finish(number, running.latest)
        else:
            running.progress(running.latest)

    def gone(self, worker: Worker) -> None:
        """A worker has ended: what it had not handed over has gone with it."""
        for number, running in list(self._running.items()):
            if running.worker is worker:
                self._finish(number, Outcome(running.latest.moved, running.latest.kept))

    def _too_late(self, number: int) -> None:
        running = self._running[number]
        LOG.error(f"{running.worker} did not say what came of its handover")
        self._finish(number, running.latest)

    def _finish(self, number: int, outcome: Outcome) -> None:
        running = self._running.pop(number)
        running.timer.cancel()
        running.done(outcome)


def connect(receivers: Sequence[Worker]) -> list[socket.socket]:
    """Ends of socket pairs, of which each receiver that can be reached has the other end."""
    ends: list[socket.socket] = []
    for receiver in receivers[:MOST_IN_A_MESSAGE]:
        ours, theirs = socket.socketpair()
        with theirs:
            if pass_on(receiver, theirs):
                ends.append(ours)
            else:
                ours.close()
    return ends


def pass_on(receiver: Worker, end: socket.socket) -> bool:
    """Let a worker take connections that come by this end of a socket pair; `False` if it cannot be reached."""
    return _order(receiver, {"order": "adopt"}, [end])


def _order(worker: Worker, order: JsonObject, ends: Sequence[socket.socket]) -> bool:
    """Send an order with its descriptors; `False` if the worker does not take it."""
    return worker.orders is not None and send_packet(worker.orders, order, [end.fileno() for end in ends])
