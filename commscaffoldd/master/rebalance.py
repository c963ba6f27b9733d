"""Rebalancing: workers with many connections hand some over to those with few."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from commscaffoldd.master.handover import Handovers, Outcome, connect
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.workers import Fleet, State, Worker

LOG = logging.getLogger(__name__)

_LOOK_EVERY: Final = 0.05  # seconds
_PATIENCE: Final = 2.0  # seconds for every worker to publish its numbers; a busy one may do so less often

Transfer = tuple[Worker, Worker, int]
"""From, to, how many connections."""


class Rebalance:
    """Evens the numbers of connections out, one transfer after another. `done` is called once."""

    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        handovers: Handovers,
        timeout: float,
        progress: Callable[[str], None],
        done: Callable[[Outcome], None],
    ) -> None:
        """A rebalancing.

        Args:
            loop: the master's.
            fleet: has the workers.
            handovers: carries connections over.
            timeout: seconds for each transfer, after which who is not ready stays.
            progress: hears of each transfer.
            done: hears what came of all of them.
        """
        self._loop = loop
        self._fleet = fleet
        self._handovers = handovers
        self._timeout = timeout
        self._progress = progress
        self._done = done
        self._transfers: list[Transfer] = []
        self._total = Outcome()
        self._workers: Sequence[Worker] = ()
        self._began_ns = 0
        self._deadline = 0.0

    def start(self, workers: Sequence[Worker]) -> None:
        """Even these workers out. `done` may be called before this returns."""
        self._workers = workers
        self._began_ns = time.monotonic_ns()
        self._deadline = self._loop.now() + _PATIENCE
        self._plan()

    def _plan(self) -> None:
        ready = [one for one in self._workers if one.state is State.READY]
        old = any(one.row.read()["turned_ns"] < self._began_ns for one in ready)
        if old and self._loop.now() < self._deadline:  # who has just handed over has other numbers now
            self._loop.call_later(_LOOK_EVERY, self._plan)
            return
        self._transfers = plan({one: one.row.read()["connections"] for one in ready})
        self._next()

    def _next(self) -> None:
        while self._transfers:
            giver, taker, count = self._transfers.pop(0)
            if not all(one in self._fleet.living and one.state is State.READY for one in (giver, taker)):
                continue
            self._progress(f"moving {count} connections from {giver} to {taker}")
            self._handovers.begin(
                giver,
                connect([taker]),
                count=count,
                timeout=self._timeout,
                progress=lambda _: None,
                done=self._moved,
            )
            return
        LOG.info(f"rebalanced: {self._total.moved} connections moved, {sum(self._total.kept.values())} could not")
        self._done(self._total)

    def _moved(self, outcome: Outcome) -> None:
        self._total = self._total.plus(outcome)
        self._next()


def plan(connections: dict[Worker, int]) -> list[Transfer]:
    """The fewest transfers after which the numbers differ by one at most."""
    if not connections:
        return []
    each, rest = divmod(sum(connections.values()), len(connections))
    # Those that have most keep one more, so that as few as possible move.
    ordered = sorted(connections, key=lambda one: -connections[one])
    wanted = {one: each + (position < rest) for position, one in enumerate(ordered)}
    transfers: list[Transfer] = []
    lacking = [(one, wanted[one] - connections[one]) for one in ordered if connections[one] < wanted[one]]
    for giver in ordered:
        spare = connections[giver] - wanted[giver]
        while spare > 0:
            taker, room = lacking.pop()
            count = min(spare, room)
            transfers.append((giver, taker, count))
            spare -= count
            if count < room:
                lacking.append((taker, room - count))
    return transfers
