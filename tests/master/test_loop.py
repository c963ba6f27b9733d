"""The loop: descriptors, timers, and callbacks that fail."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from commscaffoldd.master.loop import READ


def test_timers_fire_in_the_order_of_their_time(loop: Any) -> None:
    fired: list[str] = []
    loop.call_later(0.02, lambda: fired.append("second"))
    loop.call_later(0.01, lambda: fired.append("first"))
    loop.call_later(0.0, lambda: fired.append("at once"))
    loop.until(lambda: len(fired) == 3)
    assert fired == ["at once", "first", "second"]


def test_a_cancelled_timer_does_not_fire(loop: Any) -> None:
    fired: list[str] = []
    timer = loop.call_later(0.0, lambda: fired.append("cancelled"))
    timer.cancel()
    loop.call_later(0.01, lambda: fired.append("other"))
    loop.until(lambda: fired)
    assert fired == ["other"]
    assert not timer.pending


def test_a_readable_descriptor_is_told_until_it_is_unwatched(loop: Any) -> None:
    reading, writing = os.pipe()
    seen: list[bytes] = []
    loop.watch(reading, READ, lambda _events: seen.append(os.read(reading, 1)))
    os.write(writing, b"ab")
    loop.until(lambda: len(seen) == 2)
    loop.unwatch(reading)
    loop.unwatch(reading)
    os.write(writing, b"c")
    loop.turn(0.01)
    assert seen == [b"a", b"b"]
    os.close(reading)
    os.close(writing)


def test_a_callback_may_unwatch_what_is_due_in_the_same_turn(loop: Any) -> None:
    pipes = [os.pipe(), os.pipe()]
    called: list[int] = []

    def first_one_only(fd: int) -> None:
        called.append(fd)
        for reading, _ in pipes:
            loop.unwatch(reading)

    for reading, writing in pipes:
        os.write(writing, b"x")
        loop.watch(reading, READ, lambda _events, fd=reading: first_one_only(fd))
    loop.turn(1)
    assert len(called) == 1
    for reading, writing in pipes:
        os.close(reading)
        os.close(writing)


def test_a_callback_that_raises_is_logged_and_the_loop_goes_on(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("a fault")

    fired: list[str] = []
    loop.call_later(0.0, fail)
    loop.call_later(0.01, lambda: fired.append("later"))
    with caplog.at_level(logging.ERROR):
        loop.until(lambda: fired)
    assert "a fault" in caplog.text


def test_run_ends_with_stop_even_if_it_came_first(loop: Any) -> None:
    loop.stop()
    loop.run()


def test_run_ends_when_a_callback_says_stop(loop: Any) -> None:
    loop.call_later(0.0, loop.stop)
    loop.run()
