"""Keeps as many workers as are wanted: whoever ends is replaced, at once or after a while."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Final

from commscaffoldd.master.generation import Generation
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.restarts import Restarts
from commscaffoldd.master.rows import MAX_WORKERS
from commscaffoldd.master.succession import Succession
from commscaffoldd.master.workers import Fleet, StartError, Worker

LOG = logging.getLogger(__name__)

REPLACE_AGAIN: Final = 10.0  # seconds before a slot's worker is replaced again because handlers hang


@dataclasses.dataclass(frozen=True, slots=True)
class Vacancy:
    """A slot whose worker has died and will be replaced when the timer is due. `number`: of the one that died."""

    number: int
    timer: Timer


class Supervisor:
    """Observes the workers of the generation in use, by slot, and those that retire.

    `changed` is called whenever the number of workers at work may have changed; `retire` with those that shall hand
    their connections over and end.
    """

    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        generation: Generation,
        changed: Callable[[], None],
        retire: Callable[[Sequence[Worker]], None],
    ) -> None:
        self._loop = loop
        self._fleet = fleet
        self._changed = changed
        self._retire = retire
        self._successions: dict[int, Succession] = {}
        self._hung_at: dict[int, float] = {}  # when a slot's worker was last replaced for its handlers
        self._holding = False
        self.generation = generation
        self.restarts = Restarts()
        self.serving: dict[int, Worker] = {}
        self.vacant: dict[int, Vacancy] = {}

    def adopt(self, generation: Generation, workers: tuple[Worker, ...]) -> list[Worker]:
        """Put these in charge; returns the former ones, which the caller retires."""
        former = list(self.serving.values())
        self._forget_vacancies()
        self._abort_successions()
        self.restarts.forgive()
        self.generation = generation
        self.serving = {worker.slot: worker for worker in workers}
        for worker in workers:
            worker.observer = self
        self._changed()
        return former

    def hold(self) -> None:
        """Replace nobody any more: the daemon stops."""
        self._holding = True
        self._forget_vacancies()
        self._abort_successions()

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
        if self.slots <= 1:
            raise ValueError("one worker is the least")
        return self.shrink_to(self.slots - 1)

    def shrink_to(self, count: int) -> str:
        """Retire the workers in the highest slots, so that so many are left; says which. Together: none of them shall
        take connections of the others.
        """
        retiring: list[Worker] = []
        slots = sorted({*self.serving, *self.vacant, *self._successions})[count:]
        for slot in slots:
            vacancy = self.vacant.pop(slot, None)
            if vacancy is not None:
                vacancy.timer.cancel()
            succession = self._successions.pop(slot, None)
            if succession is not None:
                succession.abort()
            if slot in self.serving:
                retiring.append(self.serving.pop(slot))
        if retiring:
            self._retire(retiring)
        for slot in slots:
            self.generation.listeners.shrink(slot)
        self._changed()
        return ", ".join(map(str, retiring)) or f"slot {', '.join(map(str, slots))}"

    def replace(self, worker: Worker, reason: str) -> bool:
        """Start a successor for a worker that serves; once it is ready it takes the slot, and the old one retires.

        Returns:
            Whether that has begun; not if one is coming already, the worker does not serve, or the fork failed.
        """
        if self._holding or worker.slot in self._successions or self.serving.get(worker.slot) is not worker:
            return False
        LOG.info(f"{worker} is replaced: {reason}")
        try:
            self._successions[worker.slot] = Succession(self._fleet, worker, self._succeed, self._not_succeeded)
        except StartError as error:
            LOG.error(f"{error}; {worker} goes on")  # noqa: TRY400  # the text says all
            return False
        return True

    def worker_hung(self, worker: Worker, what: str) -> None:
        """Hung handlers hold all of this: replace it. Its connections, but for theirs, can move."""
        now = self._loop.now()
        if now - self._hung_at.get(worker.slot, -REPLACE_AGAIN) < REPLACE_AGAIN:
            return
        reason = f"hung handlers hold {what}"
        if self.replace(worker, reason):
            LOG.error(f"{worker}: {reason}; another worker takes its place")
            self._hung_at[worker.slot] = now
            self.restarts.replaced(f"{worker}: {reason}")

    @property
    def slots(self) -> int:
        """How many workers are wanted."""
        return len({*self.serving, *self.vacant, *self._successions})

    @property
    def replacing(self) -> bool:
        """Whether a successor is starting."""
        return bool(self._successions)

    def worker_ready(self, worker: Worker) -> None:
        """A replacement serves."""
        LOG.info(f"{worker} is ready")
        self._changed()

    def worker_leaving(self, worker: Worker) -> None:
        """Somebody told the worker itself to stop: another one takes its place while it finishes."""
        if self.serving.get(worker.slot) is worker:
            del self.serving[worker.slot]
            self._replace(worker, f"{worker} stopped without having been told to by the master")

    def worker_ended(self, worker: Worker, reason: str) -> None:
        """Replace it, if it was at work."""
        if self.serving.get(worker.slot) is worker:
            del self.serving[worker.slot]
            self._replace(worker, reason)
        else:
            LOG.info(reason)
        self._changed()

    def _replace(self, worker: Worker, reason: str) -> None:
        if self._holding:
            LOG.info(reason)
            return
        if worker.slot in self._successions:
            LOG.error(f"{reason}; its successor is starting")
            return
        delay = self.restarts.died(worker.slot, worker.age, got_ready=worker.got_ready, reason=reason)
        LOG.error(f"{reason}; it is replaced {f'in {delay:g} s' if delay else 'at once'}")
        self._fill_in(worker.slot, worker.number, delay)

    def _succeed(self, succession: Succession) -> None:
        old, new = succession.old, succession.new
        if self._successions.get(new.slot) is not succession:  # it was aborted, and became ready all the same
            return
        del self._successions[new.slot]
        served = self.serving.get(new.slot)
        self.serving[new.slot] = new
        new.observer = self
        new.send({"command": "inherit", "quarantined": old.quarantined})
        if served is old:
            self._retire([old])
        self._changed()

    def _not_succeeded(self, succession: Succession) -> None:
        slot = succession.new.slot
        if self._successions.get(slot) is not succession:  # it was aborted
            return
        del self._successions[slot]
        if slot not in self.serving and slot not in self.vacant:  # the old one died meanwhile
            self._fill_in(slot, succession.old.number, 0.0)

    def _abort_successions(self) -> None:
        for succession in self._successions.values():
            succession.abort()
        self._successions.clear()

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
