"""Reloading: what changes, and that nothing changes when something is wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.master import control_client

Eventually = Callable[..., Any]


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_configuration_that_is_wrong_is_refused_even_if_the_canary_comes_back(daemon: Any) -> None:
    daemon.start()
    before = daemon.status()
    daemon.configure(rest="[connections]\nmax = 1\ninitial = 7")
    answer = daemon.ask("reload")
    assert "ended by itself, with exit code 1" in answer["errors"][0]
    assert_untouched(daemon, before)


def assert_untouched(daemon: Any, before: dict[str, Any]) -> None:
    after = daemon.status()
    assert after["state"] == "running"
    assert [worker["pid"] for worker in after["workers"]] == [worker["pid"] for worker in before["workers"]]
    assert after["listen"] == before["listen"]
    assert after["last_reload"]["ok"] is False


def test_new_workers_come_and_old_ones_go(daemon: Any, eventually: Eventually) -> None:
    result = daemon.start()
    daemon.configure(workers=3, rest="[connections]\nmax = 77\ninitial = 7")
    answer = daemon.ask("reload")
    assert answer["ok"], answer
    assert sorted(answer["retiring"]) == sorted(result["workers"])
    assert len(answer["workers"]) == 3
    assert "3 of 3 workers are ready" in daemon.progress
    eventually(lambda: sorted(daemon.pids()) == sorted(answer["workers"]) and not daemon.pids("retiring"))
    assert daemon.ask("routes")["routes"][0]["max"] == 77
    status = daemon.status()
    assert status["restarts"]["count"] == 0
    assert status["last_reload"]["ok"] is True
    assert [worker["number"] for worker in status["workers"]] == [3, 4, 5]
    assert connects(result["listening"][0])


def test_the_same_address_is_the_same_socket(daemon: Any) -> None:
    before = daemon.start()["listening"]
    assert daemon.ask("reload")["ok"]
    assert [listener["address"] for listener in daemon.status()["listen"]] == before


@pytest.mark.parametrize(
    ("fake", "reason", "exit_code"),
    [
        ('canary = "refuse"', "greet.py:7: no", 78),
        ('canary = "die"', "killed by signal 9 (SIGKILL)", 78),
        ('start = "fail"', "no luck", 1),
        ('start = "plugin"', "greet.py:3: wrong", 78),
        ('start = "die"', "while starting", 1),
    ],
)
def test_what_cannot_start_is_refused_with_its_reason(daemon: Any, fake: str, reason: str, exit_code: int) -> None:
    daemon.start()
    before = daemon.status()
    daemon.configure(workers=3, fake=fake)
    answer = daemon.ask("reload")
    assert answer["ok"] is False
    assert reason in answer["errors"][0]
    assert answer["exit_code"] == exit_code
    assert_untouched(daemon, before)


def test_a_canary_that_hangs_is_killed(daemon: Any) -> None:
    daemon.configure(daemon="start_timeout = 1.0\nstop_timeout = 1.0")
    daemon.start()
    before = daemon.status()
    daemon.configure(fake='canary = "hang"')
    answer = daemon.ask("reload")
    assert "took longer than daemon.start_timeout" in answer["errors"][0]
    assert_untouched(daemon, before)


def test_a_new_worker_that_hangs_is_killed(daemon: Any) -> None:
    daemon.start()
    before = daemon.status()
    daemon.configure(daemon="start_timeout = 0.3\nstop_timeout = 1.0", fake='start = "hang"')
    answer = daemon.ask("reload")
    assert "was not ready within 0.3 s" in answer["errors"][0]
    assert_untouched(daemon, before)


def test_a_setting_that_needs_a_restart_is_refused(daemon: Any) -> None:
    daemon.start()
    before = daemon.status()
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace(str(daemon.run_dir), str(daemon.folder / "elsewhere")))
    answer = daemon.ask("reload")
    assert "daemon.run_dir" in answer["errors"][0]
    assert "a restart can do that" in answer["errors"][0]
    assert_untouched(daemon, before)


def test_an_address_in_use_is_refused(daemon: Any) -> None:
    daemon.start()
    before = daemon.status()
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon.configure(rest=f'[[listen]]\naddress = "127.0.0.1:{other.getsockname()[1]}"')
        answer = daemon.ask("reload")
    assert "another process listens there already" in answer["errors"][0]
    assert_untouched(daemon, before)


def test_listeners_come_and_go(daemon: Any, eventually: Eventually) -> None:
    old = daemon.start()["listening"][0]
    path = daemon.folder / "u.sock"
    daemon.configure(listen=f'address = "unix:{path}"')
    assert daemon.ask("reload")["ok"]
    assert path.is_socket()
    eventually(lambda: not connects(old))
    daemon.configure()
    assert daemon.ask("reload")["ok"]
    assert not path.exists()


def test_reuseport_sockets_are_taken_over(daemon: Any) -> None:
    daemon.configure(workers=2, listen='address = "127.0.0.1:0"\naccept = "reuseport"')
    before = daemon.start()["listening"]
    daemon.configure(workers=3, listen='address = "127.0.0.1:0"\naccept = "reuseport"')
    assert daemon.ask("reload")["ok"]
    assert [listener["address"] for listener in daemon.status()["listen"]] == before
    daemon.configure(listen='address = "127.0.0.1:0"')
    assert "by a reload" in daemon.ask("reload")["errors"][0]


def test_a_second_reload_meanwhile_is_refused(daemon: Any, eventually: Eventually) -> None:
    daemon.start()
    daemon.configure(fake='canary = "hang"')

    def ask() -> None:
        with contextlib.suppress(control_client.NotRunning):
            daemon.ask("reload")

    asking = threading.Thread(target=ask)
    asking.start()
    eventually(lambda: daemon.status()["state"] == "reloading")
    assert "the daemon is reloading" in daemon.ask("reload")["errors"][0]
    os.kill(daemon.status()["pid"], signal.SIGQUIT)
    asking.join(20)
    assert not asking.is_alive()


def test_log_settings_take_effect(daemon: Any) -> None:
    daemon.start()
    other = daemon.folder / "other.log"
    daemon.configure(rest=f'[log]\nfile = "{other}"\nformat = "json"')
    assert daemon.ask("reload")["ok"]
    assert '"message": "reloaded: 2 new workers serve' in other.read_text()
    assert daemon.status()["log"] == str(other)


def test_sigusr2_reloads(daemon: Any, eventually: Eventually) -> None:
    result = daemon.start()
    os.kill(result["pid"], signal.SIGUSR2)
    eventually(lambda: (daemon.status()["last_reload"] or {}).get("ok"))
    eventually(lambda: len(daemon.pids()) == 2 and not set(result["workers"]) & set(daemon.pids()))


def test_an_old_worker_that_does_not_go_is_killed(daemon: Any, eventually: Eventually) -> None:
    daemon.configure(daemon="start_timeout = 10.0\nstop_timeout = 0.2", fake='stop = "ignore"')
    old = daemon.start()["workers"]
    assert daemon.ask("reload")["ok"]
    assert sorted(daemon.pids("retiring")) == sorted(old)
    eventually(lambda: not daemon.pids("retiring"))
