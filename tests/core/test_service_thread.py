"""A thread that looks after something again and again."""

from __future__ import annotations

import time

import pytest

from commscaffoldd.core.service_thread import PeriodicThread
from tests.core.waiting import wait_until

NEVER = 3600.0  # seconds


class Looker(PeriodicThread):
    """Writes down when it looked; the waits between are given."""

    def __init__(self, *waits: float) -> None:
        self._waits = list(waits)
        super().__init__("looker", self._waits.pop(0))
        self.looks: list[float] = []

    def look(self, now: float) -> None:
        self.looks.append(now)
        if self._waits:
            self.wait = self._waits.pop(0)


def test_it_looks_again_and_again_until_it_is_stopped() -> None:
    looker = Looker(0.001)
    began = time.monotonic()
    looker.start()
    wait_until(lambda: len(looker.looks) >= 3)
    looker.stop(10)
    assert not looker._thread.is_alive()
    assert began < looker.looks[0] < looker.looks[1] < looker.looks[2] < time.monotonic()


def test_a_look_says_when_the_next_one_is_due() -> None:
    looker = Looker(0.001, 0.1, NEVER)
    looker.start()
    wait_until(lambda: len(looker.looks) == 2)
    assert looker.looks[1] - looker.looks[0] >= 0.1
    looker.stop(10)
    assert len(looker.looks) == 2


@pytest.mark.parametrize("waits", [[NEVER], [0.001, NEVER]])
def test_it_need_not_wait_to_the_end_to_be_stopped(waits: list[float]) -> None:
    looker = Looker(*waits)
    looker.start()
    wait_until(lambda: len(looker.looks) == len(waits) - 1)
    looker.stop(10)
    assert not looker._thread.is_alive()


def test_it_does_not_keep_the_process_alive() -> None:
    assert Looker(NEVER)._thread.daemon
