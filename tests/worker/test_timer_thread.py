"""The thread of the timers, with short periods."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.plugin.timers import Timer, TimerMark, Workers
from commscaffoldd.worker.timer_thread import TimerThread, _Entry
from tests.core.waiting import wait_until


def timer(function: Callable[..., Any], seconds: float = 0.02, workers: Workers = "all", name: str = "tick") -> Timer:
    return Timer("clock", name, TimerMark(seconds, workers), function, {})


def no_loop(_: object) -> NoReturn:
    raise RuntimeError("no loop")


@contextmanager
def running(folder: Path, *timers: Timer, spawn: Callable[[Any], object] = no_loop) -> Iterator[TimerThread]:
    made = TimerThread(timers, folder, spawn)
    made.start()
    try:
        yield made
    finally:
        made.stop(10)
        assert not made._thread.is_alive()


async def cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def event_loop() -> Iterator[Callable[[Any], object]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop)
    finally:
        asyncio.run_coroutine_threadsafe(cancel_others(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_timers_of_different_periods_run_again_and_again(tmp_path: Path) -> None:
    slow, quick = [], []
    with running(tmp_path, timer(lambda: slow.append(1), 0.2), timer(lambda: quick.append(1), 0.02)):
        wait_until(lambda: len(slow) >= 2)
    assert len(quick) > len(slow)


@given(st.floats(0.01, 1000.0), st.floats(0.0, 1e6))
def test_it_does_not_drift(period: float, late: float) -> None:
    """However late a call was, the next one is on the grid of the first, and it is the next one."""
    entry = _Entry(timer(lambda: None, period), None)
    now = entry.begin + late
    entry.plan(now)
    periods = (entry.due - entry.begin) / period
    assert periods == pytest.approx(round(periods), abs=1e-3)
    assert now < entry.due <= now + period * 1.000001


def test_calls_that_are_due_while_it_runs_are_left_out(tmp_path: Path) -> None:
    door, calls = threading.Event(), []

    def tick() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            door.wait(20)

    with running(tmp_path, timer(tick, 0.02)):
        wait_until(lambda: calls)
        until = time.monotonic() + 0.2
        wait_until(lambda: time.monotonic() > until)
        assert len(calls) == 1
        opened = time.monotonic()
        door.set()
        wait_until(lambda: len(calls) >= 3)
    assert len(calls) - 1 <= (calls[-1] - opened) / 0.02 + 1, "what was left out is not made up for"


def test_what_it_raises_is_logged_and_it_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def tick() -> None:
        calls.append(1)
        raise SystemExit("no") if len(calls) == 1 else ValueError("bad")

    with running(tmp_path, timer(tick, 0.01)):
        wait_until(lambda: len(calls) >= 5)
    (first, *others) = caplog.records
    assert first.getMessage() == "timer tick of plugin clock failed: SystemExit: no"
    assert first.exc_info is not None
    assert len(others) <= 1, "at most one line a second"


def test_one_that_takes_longer_than_its_period_is_logged_once_with_its_stack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    door = threading.Event()

    def hang_here() -> None:
        door.wait(20)

    with running(tmp_path, timer(hang_here, 0.02)) as thread:

        def looked() -> list[Any]:
            thread.look(time.monotonic())
            return caplog.records

        wait_until(looked)
        thread.look(time.monotonic() + 100)
        door.set()
    (record,) = caplog.records
    assert record.getMessage().startswith("timer tick of plugin clock runs for 0.")
    assert "its period is 0.02 s: calls that are due meanwhile are left out" in record.getMessage()
    assert "hang_here" in str(record.stack_info)


def test_async_ones_run_on_the_event_loop_and_do_not_overlap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    threads: set[int] = set()
    running_now = most = calls = 0

    async def tick() -> None:
        nonlocal running_now, most, calls
        threads.add(threading.get_ident())
        running_now += 1
        most, calls = max(most, running_now), calls + 1
        await asyncio.sleep(0.05)
        running_now -= 1
        if calls == 2:
            raise ValueError("bad")

    with event_loop() as spawn, running(tmp_path, timer(tick, 0.02), spawn=spawn) as thread:
        wait_until(lambda: calls >= 4)
        thread.stop(10)
        wait_until(lambda: not running_now)
    assert (most, len(threads)) == (1, 1)
    texts = [record.getMessage() for record in caplog.records]
    assert texts[0].startswith("timer tick of plugin clock runs for")
    assert "timer tick of plugin clock failed: ValueError: bad" in texts


def test_without_an_event_loop_an_async_one_fails_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def tick() -> None: ...

    with running(tmp_path, timer(tick)):
        wait_until(lambda: caplog.records)
    assert caplog.records[0].getMessage() == "timer tick of plugin clock failed: RuntimeError: no loop"


def test_one_worker_has_it_and_another_one_takes_over(tmp_path: Path) -> None:
    ran: list[tuple[str, int]] = []

    def by(who: str) -> Timer:
        return timer(lambda: ran.append((who, round(time.monotonic() / 0.05))), 0.05, "one")

    with running(tmp_path, by("a")):
        wait_until(lambda: len(ran) >= 2)
        with running(tmp_path, by("b")):
            before = len(ran)
            wait_until(lambda: len(ran) >= before + 3)
    assert {who for who, _ in ran} == {"a"}

    with running(tmp_path, by("c")) as going, running(tmp_path, by("d")):
        wait_until(lambda: len({who for who, _ in ran}) == 2)
        holder = ran[-1][0]
        if holder == "c":
            going.stop_soon()
            wait_until(lambda: ran[-1][0] == "d")
    assert len({tick for _, tick in ran}) == len(ran), "no time was run twice"


def expect_one_at_a_time(folder: Path, going: TimerThread, door: threading.Event) -> None:
    """`going` runs it, and is told to stop: nobody else runs it until the door lets that one end."""
    other: list[int] = []
    with running(folder, timer(lambda: other.append(1), 0.02, "one")):
        going.stop_soon()
        until = time.monotonic() + 0.2
        wait_until(lambda: time.monotonic() > until)
        assert not other
        door.set()
        wait_until(lambda: other)


def test_who_still_runs_it_when_it_shall_stop_keeps_it_until_the_end(tmp_path: Path) -> None:
    door, begun = threading.Event(), threading.Event()

    def tick() -> None:
        begun.set()
        door.wait(20)

    with running(tmp_path, timer(tick, 0.02, "one")) as going:
        assert begun.wait(20)
        expect_one_at_a_time(tmp_path, going, door)


def test_so_does_one_whose_coroutine_still_runs(tmp_path: Path) -> None:
    door, begun = threading.Event(), threading.Event()

    async def tick() -> None:
        begun.set()
        while not door.is_set():  # noqa: ASYNC110  # an event of threads cannot be awaited
            await asyncio.sleep(0.01)

    with event_loop() as spawn, running(tmp_path, timer(tick, 0.02, "one"), spawn=spawn) as going:
        assert begun.wait(20)
        expect_one_at_a_time(tmp_path, going, door)


def test_a_stop_waits_for_coroutines_and_names_those_that_do_not_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What they use is closed after that."""
    begun, ended = threading.Event(), threading.Event()

    async def quick() -> None:
        begun.set()
        await asyncio.sleep(0.1)
        ended.set()

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(3600)

    with event_loop() as spawn:
        with running(tmp_path, timer(quick, 60.0), timer(quick, 0.01), spawn=spawn):
            assert begun.wait(20)
        assert ended.is_set()
        begun.clear()
        thread = TimerThread([timer(slow, 0.01, name="slow")], tmp_path, spawn)
        thread.start()
        assert begun.wait(20)
        thread.stop(0.05)
    text = "timer slow of plugin clock was still running after stop_timeout: it ends unfinished"
    assert text in [record.getMessage() for record in caplog.records]


def test_without_timers_there_is_no_thread(tmp_path: Path) -> None:
    thread = TimerThread([], tmp_path, no_loop)
    thread.start()
    assert thread._thread.ident is None
    thread.stop(1)


def test_what_operators_are_told(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError

    with running(tmp_path, timer(fail, name="fails"), timer(lambda: time.sleep(0.005)), timer(fail, 60)) as thread:
        wait_until(lambda: thread.describe()[0]["failures"] >= 2 and thread.describe()[1]["runs"] >= 2)
        fails, goes, never = thread.describe()
    assert fails["function"] == "fails"
    assert fails["runs"] >= fails["failures"]
    assert (goes["plugin"], goes["every"], goes["workers"], goes["failures"]) == ("clock", 0.02, "all", 0)
    assert goes["last"] >= 0
    assert goes["took"] >= 0.005
    assert (never["runs"], never["last"], never["took"], never["running"]) == (0, None, None, False)
