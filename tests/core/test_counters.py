"""Counters, and the memory in which they outlive a worker."""

from __future__ import annotations

import os

from commscaffoldd.core import reasons
from commscaffoldd.core.counters import COUNTERS, GAUGES, Counters, Statistics


def counted(**values: int) -> Counters:
    counters = Counters()
    for name, value in values.items():
        setattr(counters, name, value)
    return counters


def test_a_row_shows_the_sums_of_all_threads_and_the_gauges() -> None:
    row = Statistics(1).row(0)
    row.publish([counted(messages_in=3), counted(messages_in=4, polls=1)], {"connections": 9})
    assert {name: value for name, value in row.read().items() if value} == {
        "messages_in": 7,
        "polls": 1,
        "connections": 9,
    }
    row.clear()
    assert set(row.read().values()) == {0}


def test_rows_do_not_touch_each_other() -> None:
    statistics = Statistics(3)
    statistics.row(1).publish([counted(**dict.fromkeys(COUNTERS, 1))], dict.fromkeys(GAUGES, 1))
    assert set(statistics.row(0).read().values()) == {0}
    assert set(statistics.row(1).read().values()) == {1}
    assert set(statistics.row(2).read().values()) == {0}


def test_what_a_child_publishes_its_parent_reads_after_its_death() -> None:
    row = Statistics(1).row(0)
    pid = os.fork()
    if pid == 0:
        row.publish([counted(accepted=5)], {})
        os._exit(0)
    os.waitpid(pid, 0)
    assert row.read()["accepted"] == 5


def test_every_reason_is_counted_by_a_counter_that_there_is() -> None:
    assert set(reasons.COUNTED_AS.values()) <= set(COUNTERS)
