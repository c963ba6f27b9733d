"""Keeps as many workers as are wanted: whoever ends is replaced, at once or after a while."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from commscaffoldd.master.generation import Generation
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.restarts import Restarts
from commscaffoldd.master.rows import MAX_WORKERS
from commscaffoldd.master.workers import Fleet, StartError, Worker

LOG = logging.getLogger(__name__)

SUCCEED_AGAIN: Final = 10.0  # seconds between two successions in a slot: handlers that hang at once must not spin us


@dataclasses.dataclass(frozen=True, slots=True)
class Vacancy:
    """A slot whose worker has died and will be replaced when the timer is due. `number`: of the one that died."""

    number: int
    timer: Timer


class Supervisor:
    """Observes the workers of the generation in use, by slot, and those that retire.

    `changed` is called whenever the number of workers at work may have changed.
    """

    def __init__(self, loop: Loop, fleet: Fleet, generation: Generation, changed: Callable[[], None]) -> None:
        self._loop = loop
        self._fleet = fleet
        self._changed = changed
        self._holding = False
        self.generation = generation
        self.restarts = Restarts()
        self.serving: dict[int, Worker] = {}
        self.vacant: dict[int, Vacancy] = {}
        self._successors: dict[int, Worker] = {}  # started for slots whose workers hang, and not ready yet
        self._succeeded: dict[int, float] = {}  # when the last one was started

    def adopt(self, generation: Generation, workers: tuple[Worker, ...]) -> list[Worker]:
        """Put these in charge; returns the former ones, which now retire."""
        former = [*self.serving.values(), *self._successors.values()]
        self._successors.clear()
        self._forget_vacancies()
        self.restarts.forgive()
        self.generation = generation
        self.serving = {worker.slot: worker for worker in workers}
        for worker in workers:
            worker.observer = self
        for worker in former:
            self._fleet.retire(worker, generation.config.daemon.stop_timeout)
        self._changed()
        return former

    def hold(self) -> None:
        """Replace nobody any more: the daemon stops."""
        self._holding = True
        self._successors.clear()
        self._forget_vacancies()

    def next_in(self) -> float | None:
        """Seconds to the next replacement, None if none is waited for."""
        if not self.vacant:
            return None
        due = min(vacancy.timer.due for vacancy in self.vacant.values())
        return round(max(0.0, due - self._loop.now()), 3)

    def grow(self) -> str:
        """Start one worker more; says which. Raises ListenErrors, or ValueError at the upper bound."""
        slot = max([*self.serving, *self.vacant], default=0) + 1
        if slot > MAX_WORKERS:
            raise ValueError(f"{MAX_WORKERS} workers are the most")
        self.generation.listeners.grow(slot)
        self._fill(slot)
        return f"slot {slot}"

    def shrink(self) -> str:
        """Retire the worker in the highest slot; says which. Raises ValueError if there is only one slot."""
        slots = [*self.serving, *self.vacant]
        if len(slots) <= 1:
            raise ValueError("one worker is the least")
        slot = max(slots)
        vacancy = self.vacant.pop(slot, None)
        if vacancy is not None:
            vacancy.timer.cancel()
        worker = self.serving.pop(slot, None)
        for one in (worker, self._successors.pop(slot, None)):
            if one is not None:
                self._fleet.retire(one, self.generation.config.daemon.stop_timeout)
        self.generation.listeners.shrink(slot)
        self._changed()
        return str(worker) if worker else f"slot {slot}"

    def worker_ready(self, worker: Worker) -> None:
        """A replacement serves."""
        LOG.info(f"{worker} is ready")
        if self._successors.get(worker.slot) is worker:
            self._succeed(worker)
        self._changed()

    def worker_leaving(self, worker: Worker) -> None:
        """Somebody told the worker itself to stop: another one takes its place while it finishes."""
        if self.serving.get(worker.slot) is worker:
            self._lost(worker, f"{worker} stopped without having been told to by the master")

    def worker_hung(self, worker: Worker) -> None:
        """Start another one in its slot; once that is ready it takes this one's place."""
        slot, now = worker.slot, self._loop.now()
        if self._holding or slot in self._successors or self.serving.get(slot) is not worker:
            return
        if now - self._succeeded.get(slot, -SUCCEED_AGAIN) < SUCCEED_AGAIN:
            return
        self._succeeded[slot] = now
        reason = f"{worker}: hung handlers hold all its business threads"
        LOG.error(f"{reason}; another worker takes its place")
        self.restarts.replaced(reason)
        try:
            self._successors[slot] = self._fleet.start(self.generation, slot, self)
        except StartError as error:
            LOG.error(f"{error}; {worker} stays")  # noqa: TRY400  # the text says all

    def worker_ended(self, worker: Worker, reason: str) -> None:
        """Replace it, if it was at work."""
        if self.serving.get(worker.slot) is worker:
            self._lost(worker, reason)
        elif self._successors.get(worker.slot) is worker:
            del self._successors[worker.slot]
            LOG.error(f"{reason}; {self.serving.get(worker.slot)}, which hangs, stays in its place")
        else:
            LOG.info(reason)
        self._changed()

    def _succeed(self, successor: Worker) -> None:
        """Put a successor in charge of its slot, and let the worker that hangs retire.

        This is the place to hand that one's live connections over, before it retires: its reactor is well.
        """
        old = self.serving[successor.slot]
        self.serving[successor.slot] = self._successors.pop(successor.slot)
        successor.send({"command": "inherit", "quarantined": old.quarantined})
        self._fleet.retire(old, self.generation.config.daemon.stop_timeout)

    def _lost(self, worker: Worker, reason: str) -> None:
        del self.serving[worker.slot]
        successor = self._successors.pop(worker.slot, None)
        if successor is None:
            self._replace(worker, reason)
        else:  # it has been started already
            LOG.error(f"{reason}; {successor} takes its place")
            self.serving[worker.slot] = successor
            successor.send({"command": "inherit", "quarantined": worker.quarantined})

    def _replace(self, worker: Worker, reason: str) -> None:
        if self._holding:
            LOG.info(reason)
            return
        delay = self.restarts.died(worker.slot, worker.age, got_ready=worker.got_ready, reason=reason)
        LOG.error(f"{reason}; it is replaced {f'in {delay:g} s' if delay else 'at once'}")
        self._fill_in(worker.slot, worker.number, delay)

    def _fill_in(self, slot: int, number: int, delay: float) -> None:
        if delay:
            timer = self._loop.call_later(delay, lambda: self._fill(slot))
            self.vacant[slot] = Vacancy(number, timer)
        else:
            self._fill(slot)

    def _fill(self, slot: int) -> None:
        before = self.vacant.pop(slot, None)
        try:
            self.serving[slot] = self._fleet.start(self.generation, slot, self)
        except StartError as error:
            delay = self.restarts.died(slot, 0.0, got_ready=False, reason=str(error))
            LOG.error(f"{error}; next try in {delay:g} s")  # noqa: TRY400  # the text says all
            self._fill_in(slot, before.number if before else 0, delay)

    def _forget_vacancies(self) -> None:
        for vacancy in self.vacant.values():
            vacancy.timer.cancel()
        self.vacant.clear()
