"""Where a thread is."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commscaffoldd.core.stacks import stack_of
from tests.core.waiting import wait_until


class Hanging:
    """A thread that hangs in a handler."""

    def __init__(self) -> None:
        self.here = False
        self.go_on = threading.Event()

    def handle(self, depth: int) -> None:
        if depth:
            self.handle(depth - 1)
        self.here = True
        self.go_on.wait(30)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.go_on.set()


def start(hanging: Hanging, function: Callable[[Any], object]) -> int:
    thread = threading.Thread(target=function, args=(1,))
    thread.start()
    wait_until(lambda: hanging.here)
    assert thread.ident is not None
    return thread.ident


def test_it_begins_with_the_handler_and_ends_where_the_thread_is(hanging: Hanging) -> None:
    lines = stack_of(start(hanging, hanging.handle), hanging.handle).splitlines()
    assert [line.rpartition(" ")[2] for line in lines if line.startswith("  File")][:3] == [
        "handle",
        "handle",
        "wait",
    ]


def test_the_handler_is_found_behind_what_wraps_it(hanging: Hanging) -> None:
    @functools.wraps(hanging.handle)
    def wrapper(request: Any) -> None:
        hanging.handle(request)

    assert "in handle" in stack_of(start(hanging, wrapper), wrapper).splitlines()[0]


def test_without_such_a_frame_all_is_shown(hanging: Hanging) -> None:
    assert "in _bootstrap" in stack_of(start(hanging, hanging.handle), len).splitlines()[0]


def test_a_thread_that_has_ended() -> None:
    thread = threading.Thread(target=len, args=("",))
    thread.start()
    thread.join()
    assert thread.ident is not None
    assert stack_of(thread.ident, len) == "(the thread has ended)"


def test_a_plugin_whose_wrappers_go_in_a_circle_harms_nobody(hanging: Hanging) -> None:
    def circle(_: Any) -> None: ...

    circle.__wrapped__ = circle  # type: ignore[attr-defined]
    assert "cannot be shown: ValueError" in stack_of(start(hanging, hanging.handle), circle)
