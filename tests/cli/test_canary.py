from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Callable

import pytest

from commscaffoldd.cli import canary
from commscaffoldd.worker.canary import Canary

Child = Callable[[str], int]
CONFIG = pathlib.Path("/etc/c.toml")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    """Put a shell command in the place of the canary; what it prints is its report. Gives its pid."""

    logger = logging.getLogger("commscaffoldd")  # run_canary sets it up, for a process of its own
    monkeypatch.setattr(logger, "propagate", logger.propagate)
    monkeypatch.setattr(logger, "level", logger.level)

    def put(command: str) -> int:
        read_end, write_end = os.pipe()
        words = ["/bin/sh", "-c", command]
        actions = [(os.POSIX_SPAWN_DUP2, write_end, 1)]
        pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
        os.close(write_end)
        monkeypatch.setattr(canary, "fork_canary", lambda *_: Canary(pid, read_end))
        return pid

    return put


def test_the_childs_report_and_status_are_what_is_read(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    child("printf half; printf whole; exit 3")
    read: list[tuple[bytes, int]] = []
    monkeypatch.setattr(canary, "read_report", lambda data, status: read.append((data, status >> 8)))
    canary.run_canary(CONFIG, 10.0)
    assert read == [(b"halfwhole", 3)]


def test_a_child_that_takes_too_long_is_killed_and_reported(
    child: Child,
) -> None:
    pid = child("exec sleep 60")
    report = canary.run_canary(CONFIG, 0.05)
    assert not report.ok
    assert report.errors
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_a_child_that_reports_and_stays_is_killed(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    child("printf report; exec sleep 60 >&-")
    monkeypatch.setattr(canary, "_TIME_TO_EXIT", 0.05)
    read: list[tuple[bytes, int]] = []
    monkeypatch.setattr(canary, "read_report", lambda data, status: read.append((data, status)))
    canary.run_canary(CONFIG, 10.0)
    assert read == [(b"report", 9)]
