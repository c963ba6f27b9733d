"""Several workers started together: all become ready, or none stays."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
from typing import Final

from commscaffoldd.master.generation import Generation
from commscaffoldd.master.workers import Fleet, StartError, State, Worker

LOG = logging.getLogger(__name__)

FAILURE: Final = 1
CONFIGURATION: Final = 78
_CONFIGURATION_KINDS: Final = ("plugin", "config")


@dataclasses.dataclass(frozen=True, slots=True)
class BatchResult:
    """The workers, all ready; or the errors of the first that failed, and no workers."""

    workers: tuple[Worker, ...]
    errors: tuple[str, ...] = ()
    exit_code: int = 0


class Batch:
    """Starts one worker for each slot, and calls `done` once: when all are ready, or when all are gone.

    It observes its workers until then; whoever gets them has to observe them from then on.
    """

    def __init__(
        self,
        fleet: Fleet,
        generation: Generation,
        slots: Iterable[int],
        progress: Callable[[str], None],
        done: Callable[[BatchResult], None],
    ) -> None:
        self._fleet = fleet
        self._generation = generation
        self._slots = tuple(slots)
        self._progress = progress
        self._done = done
        self._workers: list[Worker] = []
        self._failure: BatchResult | None = None
        self._finished = False

    def start(self) -> None:
        """Fork them. `done` may be called before this returns."""
        for slot in self._slots:
            try:
                self._workers.append(self._fleet.start(self._generation, slot, self))
            except StartError as error:
                self._fail((str(error),), FAILURE)
                return

    def abort(self, reason: str) -> None:
        """Give up, if it is not done yet: `done` follows, with this reason."""
        self._fail((reason,), FAILURE)

    def worker_ready(self, _worker: Worker) -> None:
        """One more."""
        ready = sum(worker.state is State.READY for worker in self._workers)
        self._progress(f"{ready} of {len(self._slots)} workers are ready")
        if self._failure is None and ready == len(self._slots):
            self._finish(BatchResult(tuple(self._workers)))

    def worker_leaving(self, worker: Worker) -> None:
        """A worker that stops although it has just begun has not started well."""
        self._fail((f"{worker} stopped while the others were starting",), FAILURE)

    def worker_hung(self, _worker: Worker, _what: str) -> None:
        """Its business once it is in charge."""

    def worker_ended(self, worker: Worker, reason: str) -> None:
        """One that ends now has failed, or has been told to because another one failed."""
        self._workers.remove(worker)
        if worker.failure is not None and worker.failure[1]:
            kind, errors = worker.failure
            self._fail(errors, CONFIGURATION if kind in _CONFIGURATION_KINDS else FAILURE)
        else:
            self._fail((f"{reason} while starting",), FAILURE)

    def _fail(self, errors: tuple[str, ...], exit_code: int) -> None:
        if self._finished:
            return
        if self._failure is None:
            self._failure = BatchResult((), errors, exit_code)
            for worker in self._workers:
                self._fleet.quit(worker)
        if not self._workers:
            self._finish(self._failure)

    def _finish(self, result: BatchResult) -> None:
        if not self._finished:
            self._finished = True
            self._done(result)
