"""Start, stop, status, restart: what a person at the terminal sees."""

from __future__ import annotations

import os
import signal
import stat

import pytest

from tests.system import processes
from tests.system.daemon import EXAMPLES, Daemon, status_text
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")


def test_start_returns_when_every_worker_is_ready(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 3})

    done = daemon.start()

    assert f"pid {daemon.master_pid()}, 3 workers" in done.out
    assert f"listening on {daemon.address()} (layout standard)" in done.out
    assert str(daemon.log_path) in done.out
    assert len(daemon.ready()) == 3
    with daemon.connect(timeout=1.0) as client:
        assert client.call(1, b"hello") == b"hello"


def test_call_and_routes_and_connections_and_status_show_what_is(daemon: Daemon) -> None:
    daemon.start()

    called = daemon.command("call", daemon.address(), "1", "hello")
    assert (called.code, called.out) == (0, "hello")
    with daemon.connect() as client:
        client.call(1, b"x")
        connections = daemon.command("connections")
        assert "{}:{}".format(*client._socket.getsockname()) in connections.out
    routes = daemon.command("routes")
    assert [line.split() for line in routes.out.splitlines()][1:] == [
        ["1", "echo", "echo", "pool", "30", "s"],
        ["2", "echo", "echo_inline", "inline", "30", "s"],
    ]
    wait_until(lambda: daemon.count("messages_in") == 2)
    status = daemon.command("status")
    assert status.code == 0
    assert "is running" in status.out
    assert "2 in" in status.out
    shown = status_text(daemon.command("status", "--json"))
    assert shown["pid"] == daemon.master_pid()
    assert shown["totals"]["messages_in"] == 2


def test_a_second_start_says_who_is_there(daemon: Daemon) -> None:
    daemon.start()
    pid, before = daemon.master_pid(), daemon.worker_pids()

    done = daemon.command("start")

    assert done.code == 1
    assert f"pid {pid}" in done.err
    assert daemon.worker_pids() == before
    assert daemon.master_pid() == pid


def test_two_starts_at_once_make_one_daemon(daemon: Daemon) -> None:
    first, second = daemon.begin("start"), daemon.begin("start")
    outputs = [first.communicate(), second.communicate()]

    assert sorted([first.returncode, second.returncode]) == [0, 1], outputs
    assert len(daemon.pids()) == 2


def test_pidfile_and_control_socket(daemon: Daemon) -> None:
    daemon.start()

    assert daemon.pidfile.read_text() == f"{daemon.status()['pid']}\n"
    assert stat.S_IMODE(daemon.control_socket.stat().st_mode) == 0o600
    daemon.stop()
    assert sorted(path.name for path in daemon.run_dir.iterdir()) == ["commscaffoldd.log"]


def test_status_of_a_daemon_that_is_down(daemon: Daemon) -> None:
    text = daemon.command("status")
    assert text.code == 3
    assert "is down" in text.out
    as_json = daemon.command("status", "--json")
    assert as_json.code == 3
    assert status_text(as_json)["state"] == "down"


@pytest.mark.parametrize("words", [("stop",), ("reload",), ("reopen",), ("connections",)])
def test_commands_to_a_daemon_that_is_down(daemon: Daemon, words: tuple[str, ...]) -> None:
    done = daemon.command(*words)
    assert done.code == 7
    assert "not running" in done.err


def test_stop_returns_when_all_is_down(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.start()

    done = daemon.stop()

    assert not daemon.pids()
    assert "has stopped" in done.out
    assert daemon.log_lines("master", "the master ends")


SLOW = """
    import time
    from commscaffoldd import handler

    @handler(7)
    def slow(request):
        time.sleep(float(request.body))
        return request.body
    """


def test_stop_finishes_what_has_been_received(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW)
    daemon.start()
    with daemon.connect() as client:
        client.send(7, b"0.4")
        wait_until(lambda: daemon.count("messages_in") == 1)

        stopping = daemon.begin("stop")

        assert client.receive().body == b"0.4"
        assert client.receive().id == daemon.layout().go_away_id
    assert stopping.communicate()[1].count("waiting for 1 worker") >= 1
    assert stopping.returncode == 0


def test_stop_with_a_time_limit_leaves_unfinished_what_takes_longer(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW)
    daemon.start()
    with daemon.connect() as client:
        client.send(7, b"50")
        wait_until(lambda: daemon.count("messages_in") == 1)
        daemon.stop("--timeout", "0.3")
    assert not daemon.pids()
    assert daemon.log_lines("WARNING", "handlers were still running")


@pytest.mark.parametrize("words", [("--now",), ("--timeout", "0")])
def test_stop_now_waits_for_nobody(daemon: Daemon, words: tuple[str, ...]) -> None:
    daemon.plugin("slow", SLOW)
    daemon.start()
    with daemon.connect() as client:
        client.send(7, b"50")
        wait_until(lambda: daemon.count("messages_in") == 1)
        daemon.stop(*words)
    assert not daemon.pids()


def test_restart_takes_over_what_has_changed(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.master_pid()
    daemon.configure(daemon={"workers": 2})

    done = daemon.command("restart")

    assert done.code == 0
    assert f"pid {before}, has stopped" in done.out
    assert daemon.master_pid() != before
    assert len(daemon.ready()) == 2


def test_restart_of_what_is_not_running_starts_it(daemon: Daemon) -> None:
    done = daemon.command("restart")
    assert done.code == 0
    assert daemon.ready()


def test_restart_with_a_broken_plugin_stops_nothing(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.worker_pids()
    path = daemon.plugin("broken", "def (")

    done = daemon.command("restart")

    assert done.code == 78
    assert f"{path}:1" in done.err
    assert "has not been stopped" in done.err
    assert daemon.worker_pids() == before


def test_a_daemon_starts_again_at_once_after_its_master_was_killed(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.start()
    master, workers = daemon.master_pid(), daemon.worker_pids()

    os.kill(master, signal.SIGKILL)
    daemon.start()  # the port is in use until the workers have noticed: this is waited out

    assert daemon.master_pid() != master
    assert not any(map(processes.is_alive, workers))
    with daemon.connect() as client:
        assert client.call(1, b"again") == b"again"


def test_a_daemon_starts_again_after_a_power_cut(daemon: Daemon) -> None:
    daemon.configure(listen=[{"address": daemon.unix_address("s")}])
    daemon.start()
    daemon.kill_everything()
    assert daemon.pidfile.exists()
    assert daemon.command("status").code == 3
    assert daemon.command("stop").code == 7

    daemon.start()

    with daemon.connect() as client:
        assert client.call(1, b"again") == b"again"


def test_stop_and_status_work_when_the_configuration_has_become_invalid(daemon: Daemon) -> None:
    daemon.start()
    with daemon.path.open("a") as file:
        file.write("[nonsense\n")

    status = daemon.command("status")
    assert (status.code, "is running" in status.out) == (0, True)
    assert "is not valid" in status.err
    daemon.stop()
    daemon.configure()


def test_check_says_what_is_wrong_and_touches_nothing(daemon: Daemon) -> None:
    daemon.configure(plugins={"path": [str(EXAMPLES)]}, plugin={"account": {"database": str(daemon.folder / "db")}})
    assert daemon.command("check").code == 0
    assert not daemon.run_dir.exists()
    daemon.configure(daemon={"workers": -1})
    done = daemon.command("check")
    assert done.code == 78
    assert "daemon.workers" in done.err
