"""Waiting for a canary: whatever it does, the wait ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.log import LogFile, open_log
from commscaffoldd.master.canary_watch import CanaryWatch, Report
from commscaffoldd.master.children import Children
from commscaffoldd.worker.canary import Canary, CanaryReport, read_report


class ShellCanary:
    """A canary that runs a shell script, whose output is its report."""

    def __init__(self, script: str) -> None:
        self.script = script

    def fork_canary(self, _path: Path, _log: LogFile, _close_fds: Iterable[int], *_: object) -> Canary:
        reading, writing = os.pipe()
        process = subprocess.Popen(["/bin/sh", "-c", self.script], stdout=writing)
        process.returncode = 0  # reaped by the watch
        os.close(writing)
        return Canary(process.pid, reading)

    @staticmethod
    def read_report(data: bytes, wait_status: int) -> CanaryReport:
        return read_report(data, wait_status)


def report_on(loop: Any, script: str, timeout: float = 20.0) -> Report:
    children = Children()
    reports: list[Report] = []
    watch = CanaryWatch(loop, children, ShellCanary(script), reports.append)
    watch.start(Path("/nowhere"), open_log(None, "info", "text"), (), timeout)
    fds = watch.fds()
    assert len(fds) == 1

    def done() -> bool:
        children.reap()
        return bool(reports)

    loop.until(done)
    assert watch.fds() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fds[0])
    assert len(reports) == 1
    return reports[0]


def test_a_report_is_read_to_its_end(loop: Any) -> None:
    text = "x" * 200_000
    script = f'printf \'{{"ok":true,"config_text":"\'; head -c {len(text)} /dev/zero | tr "\\0" x; echo \'"}}\''
    report = report_on(loop, script)
    assert report.ok
    assert report.config_text == text


def test_a_canary_that_dies_is_reported(loop: Any) -> None:
    assert "signal 9 (SIGKILL)" in report_on(loop, "kill -9 $$").errors[0]


def test_a_canary_that_ends_by_itself_is_reported(loop: Any) -> None:
    assert "exit code 3" in report_on(loop, "exit 3").errors[0]


def test_a_canary_that_hangs_is_killed(loop: Any) -> None:
    assert "took longer than" in report_on(loop, "exec sleep 600", 0.05).errors[0]


def test_what_a_plugin_started_and_left_behind_does_not_hold_up_the_report(loop: Any, tmp_path: Path) -> None:
    """The process that is left has the pipe open; only the canary's own end counts."""
    report = report_on(loop, f"sleep 600 & echo $! > {tmp_path}/pid; echo '{{\"ok\":true}}'")
    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert report.ok
