"""The connection pool, with the time in hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.slot import State
from tests.core.parts import Parts
from tests.core.slots import Recorder, begin_concurrent, end_concurrent, owned

MakePool = Callable[..., ConnectionPool]


@pytest.fixture
def make_pool(parts: Parts) -> MakePool:
    def make(initial: int = 1, maximum: int = 2, delay: float = 60.0) -> ConnectionPool:
        return ConnectionPool(initial, maximum, delay, Recorder(), parts.make_slot)

    return make


def test_it_starts_with_the_initial_slots_and_grows(make_pool: MakePool) -> None:
    pool = make_pool()
    assert (pool.made, pool.in_use, pool.room) == (1, 0, 2)
    first, second = pool.take(), pool.take()
    assert (first.index, second.index) == (0, 1)
    assert (pool.made, pool.in_use, pool.room) == (2, 2, 0)


def test_a_closed_slot_cools_and_is_used_again_after_the_delay(make_pool: MakePool) -> None:
    pool = make_pool()
    slot = pool.take()
    pool.give_back(slot, 100.0)
    assert (slot.state, pool.cooling, pool.in_use) == (State.COOLING, 1, 0)
    assert pool.recycle(159.0) == 1.0
    assert pool.cooling == 1
    assert pool.recycle(160.0) == 60.0
    assert (slot.state, pool.cooling) == (State.FREE, 0)
    assert pool.take() is slot


def test_a_slot_with_a_handler_still_running_waits_longer(make_pool: MakePool) -> None:
    pool = make_pool()
    slot = pool.take()
    pool.give_back(slot, 100.0)
    with owned(slot):
        pool.recycle(160.0)
        assert pool.cooling == 1
    begin_concurrent(slot)
    pool.recycle(220.0)
    assert pool.cooling == 1
    end_concurrent(slot)
    pool.recycle(280.0)
    assert pool.cooling == 0


def test_slots_are_bounded_however_fast_clients_come_and_go(make_pool: MakePool) -> None:
    pool = make_pool(initial=0, maximum=3)
    for number in range(50):
        pool.give_back(pool.take(), float(number))
    assert pool.made == 6
    busy = pool.take()
    assert busy.state is State.FREE


def test_before_its_time_only_an_idle_slot_is_taken(make_pool: MakePool) -> None:
    pool = make_pool(initial=0, maximum=1)
    first = pool.take()
    pool.give_back(first, 0.0)
    second = pool.take()
    pool.give_back(second, 1.0)
    assert pool.made == 2
    with owned(first):
        assert pool.take() is second
