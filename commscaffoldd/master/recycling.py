"""Recycling: workers that have served enough are replaced, one at a time, and no client notices.

For plugins that leak memory, or whose authors do not want to know. See `[daemon] max_messages, max_memory, max_age`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from commscaffoldd.config.schema import Daemon
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.memory import resident_bytes
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import State, Worker

_LOOK_EVERY: Final = 1.0  # seconds
_AFTER_FAILURE: Final = 30.0  # seconds until a worker is looked at again whose successor could not start


class Recycling:
    """Looks at the workers every second. `may` says whether this is a time to replace anybody."""

    def __init__(self, loop: Loop, supervisor: Supervisor, may: Callable[[], bool], chance: random.Random) -> None:
        """`chance` makes limits differ from worker to worker, so that not all are due at the same time."""
        self._loop = loop
        self._supervisor = supervisor
        self._may = may
        self._chance = chance
        self._shares: dict[Worker, float] = {}  # of the limits, for each worker
        self._not_before = 0.0

    def start(self) -> None:
        """Look now, and then every second."""
        self._loop.call_later(_LOOK_EVERY, self.start)
        if self._may() and not self._supervisor.replacing and self._loop.now() >= self._not_before:
            self._look(self._supervisor.generation.config.daemon)

    def _look(self, daemon: Daemon) -> None:
        serving = [one for one in self._supervisor.serving.values() if one.state is State.READY]
        self._shares = {
            one: self._shares.get(one, 0.0) or 1.0 - daemon.recycle_jitter * self._chance.random() for one in serving
        }
        for worker in sorted(serving, key=lambda one: one.started):  # the oldest first: nobody is passed over
            reason = why(worker, daemon, self._shares[worker])
            if reason:
                self._supervisor.replace(worker, reason)
                self._not_before = self._loop.now() + (0.0 if self._supervisor.replacing else _AFTER_FAILURE)
                return


def why(worker: Worker, daemon: Daemon, share: float) -> str:
    """Why a worker should be replaced, its limits being this share of the configured ones; empty: it need not be."""
    if daemon.max_age and worker.age >= daemon.max_age * share:
        return f"it has served for {worker.age:.0f} s; max_age is {daemon.max_age:g}"
    if daemon.max_messages and (messages := worker.row.read()["messages_in"]) >= daemon.max_messages * share:
        return f"it has served {messages} messages; max_messages is {daemon.max_messages}"
    if daemon.max_memory and (memory := resident_bytes(worker.pid)) >= daemon.max_memory * share:
        return f"it has {memory} bytes of memory; max_memory is {daemon.max_memory}"
    return ""
