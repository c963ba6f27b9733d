"""The timer slack. In a process of its own: it is the whole thread's, and inherited."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from commscaffoldd.worker.timers import SLACK_NS, sharpen_timers

SCRIPT = """
from pathlib import Path
from commscaffoldd.worker.timers import sharpen_timers
sharpen_timers()
print(Path("/proc/self/timerslack_ns").read_text())
"""


def test_waits_of_this_process_become_exact() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(SLACK_NS)]


def test_where_it_cannot_be_set_the_worker_does_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sharpen_timers(tmp_path / "no" / "such")
    assert "timers stay as they are" in caplog.text
