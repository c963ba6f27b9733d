"""Finds workers whose reactor does not turn any more: their stacks go to the log, then they are killed."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Final

from commscaffoldd.master.children import Children
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.workers import Fleet, State, Worker
from commscaffoldd.worker.signals import DUMP_STACKS

LOG = logging.getLogger(__name__)

LOOK: Final = 0.5  # seconds between two looks
LAST_WORDS: Final = 1.0  # seconds for a worker to write its stacks


@dataclasses.dataclass(slots=True)
class _Pulse:
    """When a worker's reactor had last turned, by its own clock, and for how many seconds that has not changed."""

    turned: int
    still: float = 0.0


class HungWatch:
    """Looks at the shared statistics, in which each reactor says several times a second that it turns.

    The time that a reactor stands still is the sum of the times between looks, and what is above twice the
    usual does not count: if the master itself did not run, because the machine was suspended or all of the daemon was
    stopped, its workers did not either, and are not to blame.
    """

    def __init__(self, loop: Loop, fleet: Fleet, children: Children) -> None:
        self._loop = loop
        self._fleet = fleet
        self._children = children
        self._pulses: dict[int, _Pulse] = {}
        self._looked = loop.now()

    def start(self) -> None:
        """Look from now on."""
        self._loop.call_later(LOOK, self._tick)

    def look(self, now: float) -> None:
        """Look once, at `now`, a time of the loop."""
        passed = min(now - self._looked, 2 * LOOK)
        self._looked = now
        before, self._pulses = self._pulses, {}
        for worker in self._fleet.living:
            timeout = worker.generation.config.daemon.worker_timeout
            if worker.state is not State.READY or not timeout or worker.hung:
                continue
            turned = _turned(worker)
            pulse = before.get(worker.number)
            if pulse is None or pulse.turned != turned:
                pulse = _Pulse(turned)
            else:
                pulse.still += passed
            self._pulses[worker.number] = pulse
            if pulse.still >= timeout:
                self._put_down(worker, pulse, timeout)

    def _tick(self) -> None:
        self._loop.call_later(LOOK, self._tick)
        self.look(self._loop.now())

    def _put_down(self, worker: Worker, pulse: _Pulse, timeout: float) -> None:
        worker.hung = f"its reactor had not turned for {pulse.still:.1f} s (worker_timeout = {timeout:g})"
        stacks = "it is stopped, so it cannot write its stacks" if _stopped(worker.pid) else "its threads are at:"
        LOG.error(f"{worker} hangs: {worker.hung}; {stacks}")
        self._children.kill(worker.pid, DUMP_STACKS)
        self._loop.call_later(LAST_WORDS, lambda: self._finish(worker, pulse))

    def _finish(self, worker: Worker, pulse: _Pulse) -> None:
        if worker not in self._fleet.living:
            return
        if _turned(worker) != pulse.turned:
            LOG.warning(f"{worker} turns again: it goes on")
            worker.hung = ""
        else:
            self._fleet.kill(worker, "hangs")


def _turned(worker: Worker) -> int:
    return worker.row.read()["turned_ns"]


def _stopped(pid: int) -> bool:
    """Whether a process is stopped, by a signal or a debugger; see proc(5)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended, or /proc is hidden
        return False
    return status.rpartition(")")[2].split()[0] in "Tt"
