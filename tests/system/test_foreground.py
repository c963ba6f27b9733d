"""`start --foreground`: as a person, systemd or a container runs it."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.daemon import Daemon
from tests.system.waiting import wait_until

SLOW = """
    import time
    from commscaffoldd import handler

    @handler(7)
    def slow(request):
        time.sleep(float(request.body))
        return request.body
    """


def test_it_says_where_it_listens_and_what_to_try(daemon: Daemon) -> None:
    daemon.start_foreground()
    text = daemon.foreground_text()
    assert f"listening on {daemon.address()} (layout standard)" in text
    assert f"console {daemon.address()}" in text
    assert " INFO " in text  # the log
    assert not daemon.log_path.exists()
    with daemon.connect() as client:
        assert client.call(1, b"hello") == b"hello"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_gracefully(daemon: Daemon, number: signal.Signals) -> None:
    daemon.plugin("slow", SLOW)
    process = daemon.start_foreground()
    with daemon.connect() as client:
        client.send(7, b"0.4")
        wait_until(lambda: daemon.count("messages_in") == 1)

        process.send_signal(number)

        assert client.receive().body == b"0.4"
    assert process.wait(timeout=20) == 0
    assert not daemon.pids()
    assert not daemon.pidfile.exists()


def test_ctrl_c_reaches_the_whole_group_and_only_the_master_obeys(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.plugin("slow", SLOW)
    process = daemon.start_foreground()
    with daemon.connect() as client:
        client.send(7, b"0.4")
        wait_until(lambda: daemon.count("messages_in") == 1)

        os.killpg(process.pid, signal.SIGINT)

        assert client.receive().body == b"0.4"
    assert process.wait(timeout=20) == 0
    text = daemon.foreground_text()
    assert "Traceback" not in text
    assert "died" not in text
    assert not daemon.pids()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_stops_at_once(daemon: Daemon, number: signal.Signals) -> None:
    daemon.configure(daemon={"stop_timeout": 50.0})
    daemon.plugin("slow", SLOW)
    process = daemon.start_foreground()
    with daemon.connect() as client:
        client.send(7, b"50")
        wait_until(lambda: daemon.count("messages_in") == 1)
        process.send_signal(number)
        wait_until(lambda: "stopping" in daemon.status()["state"])
        assert process.poll() is None

        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)

        assert process.wait(timeout=5) == 0
    assert not daemon.pids()


def test_sigquit_stops_at_once(daemon: Daemon) -> None:
    daemon.configure(daemon={"stop_timeout": 50.0})
    daemon.plugin("slow", SLOW)
    process = daemon.start_foreground()
    with daemon.connect() as client:
        client.send(7, b"50")
        wait_until(lambda: daemon.count("messages_in") == 1)
        process.send_signal(signal.SIGQUIT)
        assert process.wait(timeout=5) == 0
    assert not daemon.pids()


def test_stop_from_another_terminal(daemon: Daemon) -> None:
    process = daemon.start_foreground()
    assert daemon.stop().out == f"commscaffoldd, pid {process.pid}, has stopped\n"
    assert process.wait(timeout=5) == 0


def test_a_start_beside_it_is_refused(daemon: Daemon) -> None:
    process = daemon.start_foreground()
    done = daemon.command("start", "--foreground")
    assert done.code == 1
    assert f"pid {process.pid}" in done.err


def test_systemd_hears_that_it_is_ready_and_that_it_stops(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(daemon.folder / "notify"))
        manager.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", str(daemon.folder / "notify"))
        process = daemon.start_foreground()
        heard = b""
        while b"READY=1" not in heard:
            heard = manager.recv(4096)
        process.send_signal(signal.SIGTERM)
        while b"STOPPING=1" not in heard:
            heard = manager.recv(4096)
        assert process.wait(timeout=20) == 0
