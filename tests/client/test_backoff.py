from __future__ import annotations

import pytest

from commscaffoldd.client.backoff import Backoff, Reconnect


def test_delays_are_drawn_below_a_bound_that_doubles() -> None:
    many = [Backoff(Reconnect(first=1.0, most=5.0)) for _ in range(500)]
    for bound in (1.0, 2.0, 4.0, 5.0, 5.0):
        delays = [delay for backoff in many if (delay := backoff.next()) is not None]
        assert len(delays) == 500
        assert all(0 <= delay <= bound for delay in delays)
        assert max(delays) > 0.9 * bound, "the jitter is full:"
        assert min(delays) < 0.1 * bound, "from nothing to the bound"


def test_so_many_attempts_in_a_row_then_none() -> None:
    backoff = Backoff(Reconnect(0.1, 0.1, attempts=2))
    assert [backoff.next() is None for _ in range(3)] == [False, False, True]
    backoff.reset()
    assert backoff.next() is not None


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_bounds_that_cannot_be(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="allowed: 0 < first <= most"):
        Reconnect(*wrong)


def test_attempts_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="attempts = -1; allowed: 0 and more, or None"):
        Reconnect(attempts=-1)
