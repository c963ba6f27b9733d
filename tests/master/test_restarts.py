"""How long a dead worker's replacement waits."""

from __future__ import annotations

from commscaffoldd.master.restarts import QUICK, Restarts


def quick(restarts: Restarts, slot: int = 1) -> float:
    return restarts.died(slot, 0.1, got_ready=True, reason="x")


def test_who_lived_long_is_replaced_at_once() -> None:
    assert Restarts().died(1, QUICK, got_ready=True, reason="x") == 0.0


def test_quick_deaths_wait_ever_longer_up_to_a_minute() -> None:
    restarts = Restarts()
    assert [quick(restarts) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for _ in range(2000):
        assert quick(restarts) == 60


def test_never_having_been_ready_is_a_quick_death_however_long_it_took() -> None:
    assert Restarts().died(1, 1000.0, got_ready=False, reason="x") == 1.0


def test_a_long_life_ends_the_row_of_quick_deaths() -> None:
    restarts = Restarts()
    quick(restarts)
    quick(restarts)
    restarts.died(1, 100.0, got_ready=True, reason="x")
    assert quick(restarts) == 1


def test_each_slot_counts_by_itself() -> None:
    restarts = Restarts()
    quick(restarts, 1)
    quick(restarts, 1)
    assert quick(restarts, 2) == 1


def test_count_last_reason_and_forgiving() -> None:
    restarts = Restarts()
    quick(restarts)
    restarts.died(2, 100.0, got_ready=True, reason="worker 2 (pid 7) died: signal 9 (SIGKILL)")
    assert restarts.count == 2
    assert restarts.last == "worker 2 (pid 7) died: signal 9 (SIGKILL)"
    restarts.forgive()
    assert quick(restarts) == 1
