"""Rows of the statistics are handed out, and what the ended had counted is kept."""

from __future__ import annotations

import pytest

from commscaffoldd.core.counters import Counters, Statistics
from commscaffoldd.master.rows import MAX_WORKERS, ROWS, NoRowError, Rows


def accepted(number: int) -> list[Counters]:
    counters = Counters()
    counters.accepted = number
    return [counters]


def test_totals_are_of_the_living_and_the_ended() -> None:
    rows = Rows(Statistics(2))
    first, row = rows.take()
    row.publish(accepted(5), {"connections": 3})
    _, other = rows.take()
    other.publish(accepted(2), {})
    assert rows.totals([row.read(), other.read()])["accepted"] == 7
    rows.give_back(first)
    assert rows.totals([other.read()])["accepted"] == 7
    assert "connections" not in rows.totals([])


def test_the_next_worker_gets_a_row_of_zeros() -> None:
    rows = Rows(Statistics(1))
    index, row = rows.take()
    row.publish(accepted(5), {"connections": 3})
    rows.give_back(index)
    assert set(rows.take()[1].read().values()) == {0}


def test_no_row_left_is_told_and_passes() -> None:
    rows = Rows(Statistics(1))
    index, _ = rows.take()
    with pytest.raises(NoRowError, match="still finishing"):
        rows.take()
    rows.give_back(index)
    rows.take()


def test_old_and_new_workers_of_the_largest_daemon_find_room() -> None:
    assert ROWS >= 2 * MAX_WORKERS
