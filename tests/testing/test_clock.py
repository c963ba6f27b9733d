from __future__ import annotations

import pytest

from commscaffoldd.testing import FakeClock


def test_what_is_due_is_called_in_its_order_and_at_its_time() -> None:
    clock = FakeClock()
    called: list[tuple[str, float]] = []
    clock.at(2.0, lambda: called.append(("two", clock.now)))
    clock.at(1.0, lambda: called.append(("one", clock.now)))
    clock.at(2.0, lambda: called.append(("two again", clock.now)))
    clock.at(9.0, lambda: called.append(("nine", clock.now)))

    clock.advance(3.0)

    assert called == [("one", 1.0), ("two", 2.0), ("two again", 2.0)]
    assert clock.now == 3.0


def test_a_call_can_ask_for_the_next_one() -> None:
    clock = FakeClock()
    beats: list[float] = []

    def beat() -> None:
        beats.append(clock.now)
        clock.at(clock.now + 1.0, beat)

    clock.at(1.0, beat)
    clock.advance(3.5)

    assert beats == [1.0, 2.0, 3.0]


def test_a_call_that_raises_stops_time() -> None:
    clock = FakeClock()
    clock.at(1.0, lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        clock.advance(5.0)

    assert clock.now == 1.0


def test_time_does_not_go_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)
