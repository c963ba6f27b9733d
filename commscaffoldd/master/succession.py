"""Succession: a worker that serves is replaced by a new one, which takes its place once it is ready."""

from __future__ import annotations

import logging
from collections.abc import Callable

from commscaffoldd.master.workers import Fleet, Worker

LOG = logging.getLogger(__name__)


class Succession:
    """Observes one successor until it is ready, or has failed.

    Attributes:
        old: who is to be replaced; it serves until then.
        new: the successor.
    """

    def __init__(
        self, fleet: Fleet, old: Worker, ready: Callable[[Succession], None], failed: Callable[[Succession], None]
    ) -> None:
        """Start the successor, in the same slot and generation.

        Args:
            fleet: starts it.
            old: who is to be replaced.
            ready: called once it serves.
            failed: called once it is gone without that.

        Raises:
            StartError: it cannot be forked.
        """
        self._fleet = fleet
        self._ready = ready
        self._failed = failed
        self.old = old
        self.new = fleet.start(old.generation, old.slot, self)

    def abort(self) -> None:
        """End the successor; `failed` follows."""
        self._fleet.quit(self.new)

    def worker_ready(self, _worker: Worker) -> None:
        """It takes over."""
        self._ready(self)

    def worker_leaving(self, _worker: Worker) -> None:
        """Somebody has told it to stop: its end follows."""

    def worker_hung(self, _worker: Worker, _what: str) -> None:
        """It does not serve yet."""

    def worker_ended(self, _worker: Worker, reason: str) -> None:
        """It has failed."""
        LOG.error(f"{reason}: it cannot replace {self.old}")
        self._failed(self)
