"""Starting and stopping, in the background and in the foreground."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.master import control_client
from commscaffoldd.master.pidfile import running_pid

Eventually = Callable[..., Any]


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop(daemon: Any, *, now: bool = False) -> int:
    return control_client.stop(daemon.control, now=now, drain=None, timeout=20, on_progress=lambda _text: None)


def test_start_returns_when_all_workers_are_ready(daemon: Any) -> None:
    result = daemon.start()
    assert result["ok"]
    assert result["exit_code"] == 0
    assert result["pid"] == running_pid(daemon.pidfile) == int(daemon.pidfile.read_text())
    assert sorted(result["workers"]) == sorted(daemon.pids())
    assert connects(result["listening"][0])
    assert result["log"] == str(daemon.run_dir / "commscaffoldd.log")


def test_a_daemon_has_its_own_session_and_no_terminal(daemon: Any) -> None:
    pid = daemon.start()["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert {Path(f"/proc/{pid}/fd/{fd}").readlink() for fd in range(3)} == {Path("/dev/null")}


def test_started_twice_it_names_the_pid(daemon: Any) -> None:
    first = daemon.start()
    second = daemon.start()
    assert not second["ok"]
    assert second["exit_code"] == 1
    assert second["pid"] == first["pid"]
    assert f"pid {first['pid']}" in second["errors"][0]
    assert daemon.status()["pid"] == first["pid"]


def test_stop_returns_when_everything_is_gone(daemon: Any) -> None:
    result = daemon.start()
    assert stop(daemon) == result["pid"]
    assert not any(alive(pid) for pid in (result["pid"], *result["workers"]))
    assert not daemon.pidfile.exists()
    assert not daemon.control.exists()
    assert not connects(result["listening"][0])
    assert daemon.start()["ok"]


def test_workers_that_do_not_stop_are_killed(daemon: Any) -> None:
    daemon.configure(daemon="stop_timeout = 0.2\nstart_timeout = 10.0", fake='stop = "ignore"')
    result = daemon.start()
    stop(daemon)
    assert not any(alive(pid) for pid in result["workers"])
    assert "did not stop in time; it is killed" in daemon.log()


def test_stop_now_does_not_wait(daemon: Any) -> None:
    daemon.configure(fake='stop = "ignore"')
    result = daemon.start()
    stop(daemon, now=True)
    assert not alive(result["pid"])


def test_after_kill_9_of_the_master_it_starts_again_on_the_same_port(daemon: Any, eventually: Eventually) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon.configure(listen=f'address = "127.0.0.1:{port}"')
    first = daemon.start()
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: running_pid(daemon.pidfile) is None)
    second = daemon.start()
    assert second["ok"], second
    assert second["pid"] != first["pid"]
    eventually(lambda: not any(alive(pid) for pid in first["workers"]))


@pytest.mark.parametrize(
    ("start", "exit_code", "errors"),
    [
        ("fail", 1, ["no luck", "none at all"]),
        ("plugin", 78, ["plugin greet: greet.py:3: wrong"]),
    ],
)
def test_a_worker_that_fails_gives_its_reasons(daemon: Any, start: str, exit_code: int, errors: list[str]) -> None:
    daemon.configure(fake=f'start = "{start}"')
    result = daemon.start()
    assert not result["ok"]
    assert result["exit_code"] == exit_code
    assert result["errors"] == errors
    assert running_pid(daemon.pidfile) is None
    assert f"the start failed: {errors[0]}" in daemon.log()


def test_a_worker_that_dies_while_starting_is_told(daemon: Any) -> None:
    daemon.configure(fake='start = "die"')
    result = daemon.start()
    assert "died: signal 9 (SIGKILL) while starting" in result["errors"][0]
    assert result["exit_code"] == 1


def test_an_unexpected_error_in_a_worker_is_told_and_logged(daemon: Any) -> None:
    daemon.configure(workers=1, fake='start = "raise"')
    result = daemon.start()
    assert result["errors"] == ["worker 1: unexpected RuntimeError: out of the blue"]
    assert "worker 1 [-] commscaffoldd.master.spawn: RuntimeError: out of the blue" in daemon.log()


def test_a_worker_that_hangs_is_killed_and_told(daemon: Any) -> None:
    daemon.configure(workers=1, daemon="stop_timeout = 1.0\nstart_timeout = 0.3", fake='start = "hang"')
    result = daemon.start()
    assert result["exit_code"] == 1
    assert "was not ready within 0.3 s" in result["errors"][0]


def test_an_address_in_use_is_told_before_anything_starts(daemon: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon.configure(listen=f'address = "127.0.0.1:{other.getsockname()[1]}"')
        result = daemon.start()
    assert result["exit_code"] == 1
    assert "another process listens there already (EADDRINUSE)" in result["errors"][0]
    assert running_pid(daemon.pidfile) is None


def test_a_pidfile_that_cannot_be_is_told(daemon: Any) -> None:
    daemon.pidfile.mkdir(parents=True)
    result = daemon.start()
    assert result["exit_code"] == 1
    assert str(daemon.pidfile) in result["errors"][0]
    daemon.pidfile.rmdir()


def test_a_worker_inherits_listeners_log_channel_and_orders_only(daemon: Any) -> None:
    daemon.configure(workers=3, rest='[[listen]]\naddress = "127.0.0.1:0"\naccept = "reuseport"')
    daemon.start()
    facts = daemon.ask("routes")["routes"][0]
    wanted = {0, 1, 2, *facts["listeners"], facts["channel"], facts["orders"], facts["log"]}
    assert len(facts["listeners"]) == 2
    assert {fd for fd, link in facts["fds"] if link != "listing"} == wanted
    assert facts["hup_ignored"]
    assert facts["umask"] == 0o027
    assert facts["folder"] == "/"


def test_foreground_serves_and_stops_on_sigterm(daemon: Any) -> None:
    line = daemon.start_foreground()
    assert line["ready"]["pid"] == daemon.foreground.pid == running_pid(daemon.pidfile)
    assert connects(line["ready"]["listening"][0])
    daemon.foreground.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not daemon.pidfile.exists()
    assert "ready: 2 workers serve" in daemon.log()


def test_foreground_tells_why_it_fails_and_logs_it_not_again(daemon: Any) -> None:
    daemon.configure(fake='start = "plugin"')
    assert daemon.start_foreground() == {"failed": ["plugin greet: greet.py:3: wrong"]}
    assert daemon.wait() == 78
    assert "greet.py" not in daemon.log()


def test_foreground_started_twice_says_so(daemon: Any) -> None:
    first = daemon.start()
    assert f"pid {first['pid']}" in daemon.start_foreground()["failed"][0]
    assert daemon.wait() == 1


def test_a_daemon_starts_with_closed_standard_streams(daemon: Any) -> None:
    script = Path(__file__).with_name("fake_daemon.py")
    command = f"exec {sys.executable} {script} start {daemon.config} 0<&- 1>&- 2>&-"
    subprocess.run(["/bin/sh", "-c", command], timeout=30, check=False)
    assert daemon.status()["state"] == "running"
