"""The running master: signals, replaced workers, systemd."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[..., Any]


@pytest.mark.parametrize("mode", ["start", "start_foreground"])
def test_sighup_is_ignored(daemon: Any, mode: str) -> None:
    getattr(daemon, mode)()
    before = daemon.status()
    for pid in (before["pid"], *daemon.pids()):
        os.kill(pid, signal.SIGHUP)
    after = daemon.status()
    assert after["pid"] == before["pid"]
    assert after["restarts"]["count"] == 0
    assert len(daemon.pids()) == 2


def test_a_killed_worker_is_replaced_and_status_says_why(daemon: Any, eventually: Eventually) -> None:
    daemon.start()
    victim, other = daemon.pids()
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(daemon.pids()) == 2 and victim not in daemon.pids())
    assert other in daemon.pids()
    restarts = daemon.status()["restarts"]
    assert restarts["count"] == 1
    assert f"(pid {victim}) died: signal 9 (SIGKILL)" in restarts["last"]


def test_a_worker_that_dies_again_and_again_is_replaced_ever_later(daemon: Any, eventually: Eventually) -> None:
    daemon.configure(workers=1, fake="live = 0.01")
    daemon.start()
    eventually(lambda: daemon.status()["restarts"]["count"] == 2)
    status = daemon.status()
    assert 1.0 < status["restarts"]["next_in"] <= 2.0
    assert "exit code 9" in status["restarts"]["last"]
    assert [worker["state"] for worker in status["workers"]] == ["dead: waiting"]
    pid = status["pid"]
    used = _cpu_seconds(pid)
    time.sleep(0.3)  # nothing is awaited here: it is shown that nothing happens
    assert _cpu_seconds(pid) - used < 0.1


def test_signals_add_and_remove_a_worker(daemon: Any, eventually: Eventually) -> None:
    pid = daemon.start()["pid"]
    os.kill(pid, signal.SIGTTIN)
    eventually(lambda: len(daemon.pids()) == 3)
    os.kill(pid, signal.SIGTTOU)
    eventually(lambda: len(daemon.status()["workers"]) == 2)
    os.kill(pid, signal.SIGTTOU)
    eventually(lambda: len(daemon.status()["workers"]) == 1)
    os.kill(pid, signal.SIGTTOU)
    eventually(lambda: "one worker is the least" in daemon.log())
    assert len(daemon.pids()) == 1


def test_reuseport_gets_a_socket_for_an_added_worker(daemon: Any, eventually: Eventually) -> None:
    daemon.configure(workers=1, listen='address = "127.0.0.1:0"\naccept = "reuseport"')
    pid = daemon.start()["pid"]
    os.kill(pid, signal.SIGTTIN)
    eventually(lambda: len(daemon.pids()) == 2)


def test_sigusr1_reopens_the_log(daemon: Any, eventually: Eventually) -> None:
    pid = daemon.start()["pid"]
    log = daemon.run_dir / "commscaffoldd.log"
    log.rename(daemon.run_dir / "old.log")
    os.kill(pid, signal.SIGUSR1)
    eventually(lambda: log.exists() and "the log was reopened" in log.read_text())


def test_reopen_waits_for_all_and_tells_what_went_wrong(daemon: Any) -> None:
    daemon.start()
    assert daemon.ask("reopen")["ok"]
    logs = daemon.folder / "logs"
    logs.mkdir()
    daemon.configure(rest=f'[log]\nfile = "{logs / "d.log"}"')
    assert daemon.ask("reload")["ok"]
    logs.rename(daemon.folder / "moved")
    answer = daemon.ask("reopen")
    assert not answer["ok"]
    assert "cannot reopen" in answer["errors"][0]
    assert "No such file" in answer["errors"][0]


def test_a_second_sigterm_stops_at_once(daemon: Any, eventually: Eventually) -> None:
    daemon.configure(daemon="stop_timeout = 60.0\nstart_timeout = 10.0", fake='stop = "ignore"')
    daemon.start_foreground()
    daemon.foreground.send_signal(signal.SIGTERM)
    eventually(lambda: daemon.status()["state"] == "stopping")
    daemon.foreground.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_sigquit_stops_at_once(daemon: Any) -> None:
    daemon.configure(daemon="stop_timeout = 60.0\nstart_timeout = 10.0", fake='stop = "ignore"')
    daemon.start_foreground()
    daemon.foreground.send_signal(signal.SIGQUIT)
    assert daemon.wait() == 0


def test_sigterm_while_starting_ends_the_start(daemon: Any, eventually: Eventually) -> None:
    daemon.configure(daemon="stop_timeout = 60.0\nstart_timeout = 60.0", fake='start = "hang"')
    daemon.start_foreground_quietly()
    eventually(daemon.control.exists)
    eventually(lambda: daemon.status()["state"] == "starting")
    daemon.foreground.send_signal(signal.SIGTERM)
    assert daemon.wait() == 1
    assert "stopped while it was starting" in daemon.foreground.stdout.readline()


def test_systemd_is_told_and_workers_cannot_speak_for_the_master(daemon: Any, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(20)
        daemon.start_foreground({"NOTIFY_SOCKET": str(folder / "notify")})
        assert daemon.ask("routes")["routes"][0]["notify"] is None
        assert daemon.ask("reload")["ok"]
        daemon.foreground.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
        said = []
        manager.setblocking(False)
        try:
            while True:
                said.append(manager.recv(4096).decode().splitlines()[0])
        except BlockingIOError:
            pass
    states = [line for line in said if not line.startswith("STATUS=")]
    assert states == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_connections_come_from_every_worker(daemon: Any) -> None:
    daemon.start()
    answer = daemon.ask("connections")
    assert {row["worker"] for row in answer["connections"]} == {1, 2}
    assert answer["truncated"] is False


def test_status_has_what_an_operator_asks_for(daemon: Any) -> None:
    result = daemon.start()
    status = daemon.status()
    assert status["state"] == "running"
    assert status["config"] == str(daemon.config)
    assert status["listen"] == [{"address": result["listening"][0], "layout": "standard", "accept": "exclusive"}]
    assert [worker["number"] for worker in status["workers"]] == [1, 2]
    assert all(worker["rss"] > 1_000_000 for worker in status["workers"])
    assert status["totals"]["accepted"] == 0
    assert status["last_reload"] is None


def test_an_unknown_command_is_told_which_there_are(daemon: Any) -> None:
    daemon.start()
    answer = daemon.ask("dance")
    assert answer["ok"] is False
    assert "status, stop, reload" in answer["errors"][0]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
