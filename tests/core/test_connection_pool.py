"""The connection pool, with the time in hand."""

from __future__ import annotations

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.slot import Slot, State
from tests.core.slots import Recorder


def make_pool(initial: int = 1, maximum: int = 2, delay: float = 60.0) -> ConnectionPool:
    return ConnectionPool(initial, maximum, delay, Recorder())


def test_it_starts_with_the_initial_slots_and_grows() -> None:
    pool = make_pool()
    assert (pool.made, pool.in_use, pool.room) == (1, 0, 2)
    first, second = pool.take(), pool.take()
    assert (first.index, second.index) == (0, 1)
    assert (pool.made, pool.in_use, pool.room) == (2, 2, 0)


def test_a_closed_slot_cools_and_is_used_again_after_the_delay() -> None:
    pool = make_pool()
    slot = pool.take()
    pool.give_back(slot, 100.0)
    assert (slot.state, pool.cooling, pool.in_use) == (State.COOLING, 1, 0)
    assert pool.recycle(159.0) == 1.0
    assert pool.cooling == 1
    assert pool.recycle(160.0) == 60.0
    assert (slot.state, pool.cooling) == (State.FREE, 0)
    assert pool.take() is slot


def test_a_slot_with_a_handler_still_running_waits_longer() -> None:
    pool = make_pool()
    slot = pool.take()
    pool.give_back(slot, 100.0)
    with slot.owner:
        pool.recycle(160.0)
        assert pool.cooling == 1
    slot.concurrent.add(object())  # type: ignore[arg-type]
    pool.recycle(220.0)
    assert pool.cooling == 1
    slot.concurrent.clear()
    pool.recycle(280.0)
    assert pool.cooling == 0


def test_slots_are_bounded_however_fast_clients_come_and_go() -> None:
    pool = make_pool(initial=0, maximum=3)
    for number in range(50):
        pool.give_back(pool.take(), float(number))
    assert pool.made == 6
    busy = pool.take()
    assert busy.state is State.FREE


def test_before_its_time_only_an_idle_slot_is_taken() -> None:
    pool = make_pool(initial=0, maximum=1)
    first, second = pool.take(), Slot(7, Recorder())
    pool.give_back(first, 0.0)
    second = pool.take()
    pool.give_back(second, 1.0)
    assert pool.made == 2
    with first.owner:
        assert pool.take() is second
