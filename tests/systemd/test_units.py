"""The unit files: systemd understands every line, and the hardening is what README.md promises."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commscaffoldd.config.schema import Daemon
from commscaffoldd.core.address import systemd_name

UNITS = Path(__file__).parents[2] / "systemd"
SERVICE = "commscaffoldd.service"
SOCKET = "commscaffoldd.socket"
INSTALLED = "/usr/local/bin/commscaffoldd"
HIGHEST_EXPOSURE = 1.5

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ANALYZE), *words], capture_output=True, text=True, timeout=45, check=False)


def values(key: str, unit: str = SERVICE) -> list[str]:
    """What the unit file says to this key."""
    return re.findall(rf"^{key}=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)


@needs_analyze
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """What it does not know is no reason for it to fail, but it says so: any word is one too many."""
    for unit in (SERVICE, SOCKET):  # verify wants a program that is there
        (tmp_path / unit).write_text((UNITS / unit).read_text().replace(INSTALLED, sys.executable))
    done = analyze("verify", "--man=no", str(tmp_path / SERVICE), str(tmp_path / SOCKET))
    ours = [line for line in done.stderr.splitlines() if "commscaffoldd" in line]
    assert (done.returncode, ours) == (0, [])


@needs_analyze
def test_a_line_that_systemd_does_not_know_would_be_seen(tmp_path: Path) -> None:
    text = (UNITS / SERVICE).read_text().replace(INSTALLED, sys.executable)
    (tmp_path / SERVICE).write_text(text.replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in analyze("verify", "--man=no", str(tmp_path / SERVICE)).stderr


@needs_analyze
def test_the_service_is_hardened() -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(UNITS / SERVICE))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze scores no unit file offline: {done.stderr.strip()}")
    assert float(found[1]) <= HIGHEST_EXPOSURE


def test_systemd_waits_longer_than_the_daemon() -> None:
    defaults = Daemon()
    assert float(*values("TimeoutStartSec")) > defaults.start_timeout
    assert float(*values("TimeoutStopSec")) > defaults.stop_timeout


def test_the_notifications_that_the_master_sends_are_heard() -> None:
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") == ["main"]
    assert float(*values("WatchdogSec")) > 0
    assert int(*values("FileDescriptorStoreMax")) > 0
    assert values("RuntimeDirectoryPreserve") == ["restart"], "unix sockets that are kept are found by their paths"


def test_the_socket_unit_is_one_that_the_daemon_can_use() -> None:
    assert values("Accept", SOCKET) == ["no"]
    (name,) = values("FileDescriptorName", SOCKET)
    assert systemd_name(f"systemd:{name}") == name
