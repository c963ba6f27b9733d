"""Workers whose reactor does not turn any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commscaffoldd.config.schema import Config, Daemon
from commscaffoldd.core.counters import Counters, Statistics
from commscaffoldd.master.hung import LOOK, HungWatch
from commscaffoldd.master.workers import State
from commscaffoldd.worker.signals import DUMP_STACKS

PROCESS = """
import faulthandler, sys, time
faulthandler.register(int(sys.argv[1]), file=sys.stdout, all_threads=True, chain=False)
print("ready", flush=True)
time.sleep(600)
"""


class Watched:
    """A process in a worker's place; time passes, and its reactor turns, when the test says so."""

    def __init__(self, loop: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(int(DUMP_STACKS))], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.row = Statistics(1).row(0)
        daemon = Daemon(worker_timeout=3.0)
        self.worker: Any = SimpleNamespace(
            number=1,
            pid=self.process.pid,
            row=self.row,
            hung="",
            state=State.READY,
            generation=SimpleNamespace(config=Config(path=Path("x"), daemon=daemon)),
        )
        self.living = [self.worker]
        self.killed: list[str] = []
        fleet: Any = SimpleNamespace(living=self.living, kill=lambda _worker, why: self.killed.append(why))
        children: Any = SimpleNamespace(kill=os.kill)
        self.loop = loop
        self.now = loop.now()
        self.watch = HungWatch(loop, fleet, children)
        self.watch._looked = self.now

    def turn(self, at: int) -> None:
        self.row.publish([Counters()], {"turned_ns": at})

    def stands_still(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK)):
            self.now += LOOK
            self.watch.look(self.now)

    def written(self) -> str:
        """What the process has written until it ended."""
        self.process.kill()
        assert self.process.stdout is not None
        return self.process.stdout.read()


@pytest.fixture
def watched(loop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("commscaffoldd.master.hung.LAST_WORDS", 0.3)
    made = Watched(loop)
    yield made
    made.process.kill()
    made.process.wait()
    assert made.process.stdout is not None
    made.process.stdout.close()


def test_one_that_stands_still_writes_its_stacks_and_is_killed(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.turn(1)
    watched.stands_still(3.0)
    assert not watched.worker.hung
    watched.stands_still(LOOK)
    assert "had not turned for 3.0 s (worker_timeout = 3)" in watched.worker.hung
    assert "its threads are at:" in caplog.text
    assert not watched.killed, "it needs a moment for its last words"
    watched.loop.until(lambda: watched.killed)
    assert "most recent call first" in watched.written()


def test_one_that_turns_lives(watched: Watched) -> None:
    for at in range(20):
        watched.turn(at)
        watched.stands_still(2.0)
    assert not watched.worker.hung


def test_one_that_turns_again_at_the_last_moment_lives(watched: Watched) -> None:
    watched.stands_still(5.0)
    watched.turn(1)
    watched.loop.until(lambda: not watched.worker.hung)
    assert not watched.killed
    watched.stands_still(4.0)
    assert watched.worker.hung, "it is watched as before"


def test_one_that_never_turned_since_it_was_ready(watched: Watched) -> None:
    watched.stands_still(4.0)
    assert watched.worker.hung


@pytest.mark.parametrize("state", [State.STARTING, State.RETIRING])
def test_who_starts_or_retires_has_other_limits(watched: Watched, state: State) -> None:
    watched.worker.state = state
    watched.stands_still(10.0)
    assert not watched.worker.hung


def test_0_is_never(watched: Watched) -> None:
    watched.worker.generation.config = Config(path=Path("x"), daemon=Daemon(worker_timeout=0.0))
    watched.stands_still(100.0)
    assert not watched.worker.hung


def test_when_the_master_did_not_run_either_nobody_is_to_blame(watched: Watched) -> None:
    watched.stands_still(LOOK)
    watched.now += 3600  # the machine slept
    watched.watch.look(watched.now)
    assert not watched.worker.hung


def test_one_that_is_stopped_cannot_write(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    os.kill(watched.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, watched.process.pid, os.WSTOPPED)
    watched.stands_still(4.0)
    assert "it is stopped, so it cannot write its stacks" in caplog.text


def test_one_that_ends_meanwhile_is_not_killed(watched: Watched) -> None:
    watched.stands_still(4.0)
    watched.living.clear()
    later: list[bool] = []
    watched.loop.call_later(0.4, lambda: later.append(True))
    watched.loop.until(lambda: later)
    assert not watched.killed
