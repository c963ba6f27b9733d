"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 20.0  # seconds; a test that needs more is wrong


def wait_until(condition: Callable[[], object], meanwhile: Callable[[], object] | None = None) -> None:
    """Do `meanwhile` again and again until the condition holds; fail the test if it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("the condition never came true")
        if meanwhile is None:
            time.sleep(0.002)
        else:
            meanwhile()
