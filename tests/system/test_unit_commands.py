"""The commands of the unit file, run as they stand there: only program and configuration are this test's."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.system.daemon import PROGRAM, ROOT, Daemon, Done

UNIT = ROOT / "systemd" / "commscaffoldd.service"
INSTALLED = ("/usr/local/bin/commscaffoldd", "/etc/commscaffoldd/commscaffoldd.toml")


def line_of(key: str, daemon: Daemon) -> tuple[str, ...]:
    """The command of ExecStart= or ExecReload=."""
    (text,) = re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)
    words = shlex.split(text)
    assert words[0] == INSTALLED[0]
    assert INSTALLED[1] in words
    return (*PROGRAM, *(str(daemon.path) if word == INSTALLED[1] else word for word in words[1:]))


def run(daemon: Daemon, key: str) -> Done:
    done = subprocess.run(
        line_of(key, daemon),
        capture_output=True,
        text=True,
        timeout=45,
        env=daemon.environment(),
        cwd="/",  # systemd's
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_exec_reload_waits_for_the_new_workers(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.worker_pids()
    assert run(daemon, "ExecReload").code == 0
    assert not set(daemon.worker_pids()) & set(before)


@pytest.mark.parametrize("broken", ["plugin", "configuration"])
def test_exec_reload_fails_when_the_reload_does_and_says_why(daemon: Daemon, broken: str) -> None:
    daemon.start()
    before = daemon.worker_pids()
    if broken == "plugin":
        daemon.plugin("greet", "def greet(:\n")
    else:
        daemon.path.write_text(daemon.path.read_text() + "\n[flod]\n")
    done = run(daemon, "ExecReload")
    assert done.code == 78
    assert ("greet.py:1" if broken == "plugin" else "flod: unknown") in done.err
    assert daemon.worker_pids() == before


def test_exec_reload_fails_when_nothing_runs(daemon: Daemon) -> None:
    assert run(daemon, "ExecReload").code == 7


def test_exec_start_stays_in_the_foreground(daemon: Daemon) -> None:
    line = line_of("ExecStart", daemon)
    assert line == (*PROGRAM, "start", "--foreground", "--config", str(daemon.path))
    process = daemon.start_foreground()
    assert process.pid == daemon.master_pid()
