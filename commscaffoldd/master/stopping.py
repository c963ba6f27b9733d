"""Stopping: every worker is given time, then none, and whoever waits hears how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.status import open_connections
from commscaffoldd.master.workers import Fleet

LOG = logging.getLogger(__name__)

_TELL_EVERY: Final = 0.5  # seconds


class Stopping:
    """Ends all workers. `done` is called once, when none is left; `check` has to be called when one has ended."""

    def __init__(self, loop: Loop, fleet: Fleet, done: Callable[[], None]) -> None:
        self._loop = loop
        self._fleet = fleet
        self._done = done
        self._listeners: list[Callable[[str], None]] = []
        self._ticking: Timer | None = None
        self._finished = False
        self._at_once = False

    def tell(self, listener: Callable[[str], None]) -> None:
        """Let this one hear, now and then, what is waited for."""
        self._listeners.append(listener)
        if self._ticking is None:
            self._tick()

    def gracefully(self, timeout: float) -> None:
        """Let every worker finish what it has, for at most `timeout` seconds."""
        LOG.info(f"stopping; {len(self._fleet.living)} workers have {timeout:g} s to finish")
        for worker in list(self._fleet.living):
            self._fleet.retire(worker, timeout)
        self.check()

    def at_once(self) -> None:
        """End every worker now. The second call does nothing that the first has not done."""
        if self._at_once:
            return
        self._at_once = True
        LOG.info("stopping at once")
        for worker in list(self._fleet.living):
            self._fleet.quit(worker)
        self.check()

    def check(self) -> None:
        """Call `done`, once nobody is left."""
        if not self._fleet.living and not self._finished:
            self._finished = True
            if self._ticking is not None:
                self._ticking.cancel()
            self._done()

    def _tick(self) -> None:
        workers = self._fleet.living
        text = f"waiting for {_count(len(workers), 'worker')}, {_count(open_connections(workers), 'connection')}"
        for listener in self._listeners:
            listener(text)
        self._ticking = self._loop.call_later(_TELL_EVERY, self._tick)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
