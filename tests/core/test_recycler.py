"""The recycler thread."""

from __future__ import annotations

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.recycler import Recycler
from tests.core.slots import Recorder
from tests.core.waiting import wait_until


def test_it_frees_slots_and_ends() -> None:
    pool = ConnectionPool(1, 1, 0.0, Recorder())
    pool.give_back(pool.take(), 0.0)
    recycler = Recycler(pool)
    recycler.start()
    wait_until(lambda: not pool.cooling)
    recycler.stop(10)
    assert not recycler._thread.is_alive()
