"""Who answers a message, its handler's thread or the watchdog: one of them, whatever comes first."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from commscaffoldd.core.running import Running

WORK: Any = object()
OTHER: Any = object()


def test_what_runs_can_be_given_up_and_then_comes_late() -> None:
    running = Running()
    running.work = WORK
    assert running.give_up(WORK)
    running.work = None
    assert running.overdue
    assert running.came_late()
    assert running.overdue is None


@pytest.mark.parametrize("now", [None, OTHER])
def test_what_has_ended_cannot_be_given_up(now: Any) -> None:
    running = Running()
    running.work = now
    assert not running.give_up(WORK)
    assert running.overdue is None


class HastyThread(Running):
    """Its handler returns in the very moment in which the watchdog has said what it gives up."""

    __slots__ = ("answers", "ended")

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bool] = []
        self.ended = threading.Thread(target=lambda: self.answers.append(not self.came_late()))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "overdue" and value is not None:
            super().__setattr__("work", None)
            self.ended.start()  # it finds `overdue` set, and asks


def test_who_returns_in_that_moment_answers_itself_and_nobody_else_does() -> None:
    running = HastyThread()
    running.work = WORK
    assert not running.give_up(WORK)
    running.ended.join(10)
    assert running.answers == [True]
