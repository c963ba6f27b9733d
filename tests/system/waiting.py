"""Waiting for a condition, instead of sleeping for what it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_STEP: Final = 0.01


def wait_until(condition: Callable[[], T], timeout: float = 15.0, what: str = "") -> T:
    """Ask again and again until the answer is true, and give it.

    The time is long because the machine may be busy; a test that waits for it in vain fails anyway.
    """
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain{f' for {what}' if what else ''}; at last: {answer!r}")
        time.sleep(_STEP)
    return answer


def stays(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition holds all the time: for what must *not* happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(_STEP)
    return True
