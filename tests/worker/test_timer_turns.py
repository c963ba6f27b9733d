"""Whose turn a timer is: one worker's, at most once for each time, whoever comes and goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commscaffoldd.plugin.timers import Timer, TimerMark
from commscaffoldd.worker.timer_turns import TimerTurns

SECOND = 1_000_000_000


def timer(name: str = "clean") -> Timer:
    return Timer("store", name, TimerMark(1.0, "one"), lambda: None, {})


def test_who_has_had_a_turn_keeps_them(tmp_path: Path) -> None:
    one, two = TimerTurns(tmp_path, timer()), TimerTurns(tmp_path, timer())
    for due in (1, 2, 3):
        assert one.take(due * SECOND, due * SECOND)
        assert not two.take(due * SECOND, due * SECOND)
    one.close()
    two.close()


def test_who_takes_over_does_not_run_the_same_time_again(tmp_path: Path) -> None:
    old, new = TimerTurns(tmp_path, timer()), TimerTurns(tmp_path, timer())
    assert old.take(5 * SECOND, 5 * SECOND)
    old.release()
    assert not new.take(5 * SECOND, 5 * SECOND + 1000)  # it was a little late
    assert new.take(6 * SECOND, 6 * SECOND)
    old.close()
    new.close()


def test_what_was_written_before_the_machine_was_started_does_not_count(tmp_path: Path) -> None:
    before, after = TimerTurns(tmp_path, timer()), TimerTurns(tmp_path, timer())
    assert before.take(10**6 * SECOND, 10**6 * SECOND)
    before.close()
    assert after.take(3 * SECOND, 3 * SECOND)
    after.close()


@pytest.mark.parametrize("name", ["make.<locals>.clean", "Store.clean", "../../etc", "ü"])
def test_any_function_has_a_file_of_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    TimerTurns(tmp_path / "run", timer(name)).close()
    assert [one.name for one in tmp_path.iterdir()] == ["run"]
    assert len(list((tmp_path / "run" / "timers").iterdir())) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["take", "release"]), st.integers(0, 2)), max_size=30))
def test_no_time_is_run_twice_whatever_workers_do(tmp_path: Path, steps: list[tuple[str, int]]) -> None:
    workers = [TimerTurns(tmp_path, timer()) for _ in range(3)]
    (tmp_path / "timers" / "store.clean").write_bytes(b"")
    ran: list[int] = []
    for now, (step, who) in enumerate(steps):
        due = now // 3  # each time is looked at by some workers
        if step == "release":
            workers[who].release()
        elif workers[who].take(due * SECOND, now * SECOND):
            ran.append(due)
    assert len(ran) == len(set(ran))
    for worker in workers:
        worker.close()
