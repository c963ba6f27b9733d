"""Reaping children by their pids."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.master.children import Children, describe_end


def child(*command: str) -> int:
    process = subprocess.Popen(command)
    process.returncode = 0  # it is ours to reap, not subprocess's
    return process.pid


def test_a_child_that_ended_is_told_once(eventually: Callable[..., Any]) -> None:
    children = Children()
    ends: list[int] = []
    children.add(child("/bin/sh", "-c", "exit 3"), ends.append)

    def reaped() -> bool:
        children.reap()
        return bool(ends)

    eventually(reaped)
    children.reap()
    assert [describe_end(status) for status in ends] == ["exit code 3"]


def test_kill_reaches_children_only_until_they_are_reaped(eventually: Callable[..., Any]) -> None:
    children = Children()
    ends: list[int] = []
    pid = child("/bin/sleep", "60")
    children.add(pid, ends.append)
    children.reap()
    assert ends == []
    children.kill(pid, signal.SIGTERM)

    def reaped() -> bool:
        children.reap()
        return bool(ends)

    eventually(reaped)
    assert describe_end(ends[0]) == "signal 15 (SIGTERM)"
    children.kill(pid, signal.SIGTERM)


def test_other_peoples_children_are_left_alone() -> None:
    other = subprocess.Popen(["/bin/true"])
    Children().reap()
    assert other.wait(20) == 0


def test_a_child_that_somebody_else_reaped_counts_as_ended() -> None:
    other = subprocess.Popen(["/bin/true"])
    other.wait(20)
    children = Children()
    ends: list[int] = []
    children.add(other.pid, ends.append)
    children.reap()
    assert ends == [0]


@pytest.mark.parametrize(
    ("status", "text"), [(0, "exit code 0"), (9, "signal 9 (SIGKILL)"), (signal.SIGRTMIN + 1, "signal 35")]
)
def test_an_end_in_words(status: int, text: str) -> None:
    assert describe_end(status) == text
