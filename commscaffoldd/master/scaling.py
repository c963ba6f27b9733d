"""Scaling: as many workers as are asked for, while clients stay connected."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from commscaffoldd.master.listen_errors import ListenErrors
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import State

LOG = logging.getLogger(__name__)

_LOOK_EVERY: Final = 0.05  # seconds


class Scaling:
    """Brings the number of workers to the one that is asked for. `done` is called once, with an error or none."""

    def __init__(
        self,
        loop: Loop,
        supervisor: Supervisor,
        retiring: Callable[[], bool],
        count: int,
        progress: Callable[[str], None],
        done: Callable[[str], None],
    ) -> None:
        """Scaling to `count` workers; `retiring` says whether others still hand their connections over."""
        self._loop = loop
        self._supervisor = supervisor
        self._retiring = retiring
        self._count = count
        self._progress = progress
        self._done = done
        self._ready = -1
        self._deadline = 0.0

    def start(self) -> None:
        """Begin; done once all new workers are ready, or cannot be. Workers too many retire meanwhile."""
        supervisor = self._supervisor
        self._deadline = self._loop.now() + supervisor.generation.config.daemon.start_timeout
        try:
            while supervisor.slots < self._count:
                supervisor.grow()
            if supervisor.slots > self._count:
                supervisor.shrink_to(self._count)
        except (ValueError, ListenErrors) as error:
            self._done(f"{supervisor.slots} workers, not {self._count}: {error}")
            return
        self._wait()

    def _wait(self) -> None:
        ready = sum(one.state is State.READY for one in self._supervisor.serving.values())
        if ready != self._ready:
            self._ready = ready
            self._progress(f"{ready} of {self._count} workers are ready")
        if ready >= self._count and not self._retiring():
            LOG.info(f"scaled to {self._count} workers")
            self._done("")
        elif ready < self._count and self._loop.now() >= self._deadline:
            self._done(f"only {ready} of {self._count} workers became ready in time: the log says why")
        else:
            self._loop.call_later(_LOOK_EVERY, self._wait)
