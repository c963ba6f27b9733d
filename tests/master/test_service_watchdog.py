"""When the service manager's watchdog is fed, and when not."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable
from typing import Any, cast

import pytest

from commscaffoldd.core.counters import Statistics, StatisticsRow
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.notify import Notifier
from commscaffoldd.master.service_watchdog import ServiceWatchdog, watchdog_interval
from commscaffoldd.master.workers import Observer, State, Worker

SECOND = 1_000_000_000


class Rig:
    """A watchdog of 30 seconds with workers that are rows only, and a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100 * SECOND
        self.statistics = Statistics(4)
        self.workers: list[Worker] = []
        self.pings = 0
        self.timers: list[Callable[[], None]] = []
        monkeypatch.setattr(
            "commscaffoldd.master.service_watchdog.time", types.SimpleNamespace(monotonic_ns=lambda: self.now)
        )
        loop = types.SimpleNamespace(call_later=self.call_later)
        notifier = types.SimpleNamespace(watchdog=self.pinged)
        self.watchdog = ServiceWatchdog(cast("Loop", loop), cast("Notifier", notifier), 30.0, lambda: self.workers)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        assert delay == 10.0
        self.timers.append(callback)
        return types.SimpleNamespace(cancel=self.timers.clear)

    def pinged(self) -> None:
        self.pings += 1

    def worker(self, number: int, state: State = State.READY) -> StatisticsRow:
        row = self.statistics.row(number)
        worker = Worker(
            number=number,
            slot=number,
            pid=1000 + number,
            generation=cast("Generation", None),
            observer=cast("Observer", None),
            row=(number, row),
        )
        worker.state = state
        self.workers.append(worker)
        return row

    def after(self, seconds: int) -> int:
        """Pings that the next look, after so many seconds, gives."""
        self.now += seconds * SECOND
        before = self.pings
        self.timers.pop()()
        return self.pings - before

    def turn(self, row: StatisticsRow) -> None:
        row.publish([], {"turned_ns": self.now})


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_all_turn_so_it_is_fed_at_a_third_of_the_interval(rig: Rig) -> None:
    rows = [rig.worker(1), rig.worker(2)]
    rig.watchdog.start()
    for _ in range(5):
        for row in rows:
            rig.turn(row)
        assert rig.after(10) == 1


def test_one_that_is_silent_stops_the_pings_and_is_named_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    turning, hanging = rig.worker(1), rig.worker(2)
    rig.watchdog.start()
    rig.turn(hanging)
    pings = []
    for _ in range(4):
        rig.turn(turning)
        pings.append(rig.after(10))
    assert pings == [1, 0, 0, 0]
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "worker 2 (pid 1002) hangs: its reactor has not turned for 20.0 s" in error.message


def test_one_that_turns_again_is_forgiven(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    row = rig.worker(1)
    rig.watchdog.start()
    assert rig.after(20) == 0
    rig.turn(row)
    assert rig.after(1) == 1
    assert "worker 1 (pid 1001) turns again" in caplog.text


@pytest.mark.parametrize("state", [State.STARTING, State.RETIRING])
def test_workers_that_start_or_retire_do_not_count(rig: Rig, state: State) -> None:
    serving = rig.worker(1)
    rig.worker(2, state)
    rig.watchdog.start()
    for _ in range(4):
        rig.turn(serving)
        assert rig.after(10) == 1


def test_one_that_has_just_become_ready_has_time_for_its_first_turn(rig: Rig) -> None:
    rig.watchdog.start()
    rig.worker(1)  # its row is all zero: it has never turned
    assert rig.after(10) == 1
    assert rig.after(10) == 1
    assert rig.after(10) == 0


def test_nobody_serving_is_borne_for_a_while(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.worker(1, State.STARTING)
    rig.watchdog.start()
    assert [rig.after(10) for _ in range(4)] == [1, 0, 0, 0]
    (error,) = caplog.records
    assert "no worker has served for 20.0 s" in error.message
    row = rig.worker(2)
    rig.turn(row)
    assert rig.after(0) == 1


def test_stopping_ends_it(rig: Rig) -> None:
    rig.worker(1)
    rig.watchdog.start()
    rig.watchdog.stop()
    rig.watchdog.stop()
    assert rig.timers == []


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, 0.0),
        ({"WATCHDOG_USEC": "half a minute"}, 0.0),
    ],
)
def test_the_environment_says_how_often_and_loses_it(environment: dict[str, str], seconds: float) -> None:
    environment["HOME"] = "/"
    assert watchdog_interval(environment, 77) == seconds
    assert environment == {"HOME": "/"}
