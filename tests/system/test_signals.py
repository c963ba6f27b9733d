"""Signals to master and workers."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system import processes
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import stays, wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

SLOW_TO_LOAD = """
    import time
    from pathlib import Path
    from commscaffoldd import handler
    Path(__file__).with_name("loading").touch()
    time.sleep(0.5)

    @handler(7)
    def nothing(request): ...
    """


@pytest.mark.parametrize("how", ["daemonised", "foreground"])
def test_sighup_is_ignored_by_all(daemon: Daemon, how: str) -> None:
    daemon.configure(daemon={"workers": 2})
    _ = daemon.start() if how == "daemonised" else daemon.start_foreground()
    before = daemon.ready()
    everybody = {daemon.master_pid(), *before.values()}
    assert daemon.pids() == everybody
    with Load(daemon.address(), 8) as load:
        load.flows()
        for _ in range(20):
            processes.kill(everybody, signal.SIGHUP)
        load.flows()
        # a signal that was only late would end somebody now
        assert stays(lambda: all(map(processes.is_alive, everybody)), 0.3)
        load.flows()
        load.finish()
        assert not [one.error for one in load.talkers if one.error or one.ended]
    assert daemon.ready() == before
    assert all(processes.ignores(pid, signal.SIGHUP) for pid in everybody)


def test_sighup_is_ignored_while_it_starts(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW_TO_LOAD)
    starting = daemon.begin("start")
    wait_until((daemon.plugins / "loading").exists, what="the worker")
    processes.kill(daemon.pids() - {starting.pid}, signal.SIGHUP)
    out, err = starting.communicate()
    assert starting.returncode == 0, (out, err)
    assert len(daemon.ready()) == 1


def test_sigttin_and_sigttou_change_the_number_of_workers(daemon: Daemon) -> None:
    daemon.configure(
        daemon={"workers": 1},
        listen=[{"address": daemon.free_address()}, {"address": daemon.free_address(), "accept": "reuseport"}],
    )
    daemon.start()
    master = daemon.master_pid()
    (first,) = daemon.worker_pids()
    with daemon.connect() as client:
        os.kill(master, signal.SIGTTIN)
        wait_until(lambda: len(daemon.ready()) == 2)
        os.kill(master, signal.SIGTTIN)
        wait_until(lambda: len(daemon.ready()) == 3)
        with Load(daemon.address(1), 12) as load:
            load.flows()
        os.kill(master, signal.SIGTTOU)
        wait_until(lambda: len(daemon.ready()) == 2)  # two signals at once may be one
        os.kill(master, signal.SIGTTOU)
        wait_until(lambda: daemon.worker_pids() == [first])
        os.kill(master, signal.SIGTTOU)
        wait_until(lambda: daemon.log_lines("WARNING", "one worker is the least"))
        assert daemon.worker_pids() == [first]
        assert client.call(1, b"still") == b"still"
        # Reaped, so that their sockets are closed: a process that ends has no environment a moment before that.
        wait_until(lambda: len(daemon.log_lines("has stopped")) == 2)
    with Load(daemon.address(1), 12) as load:
        load.flows()
        load.finish()
        assert not [one.error for one in load.talkers if one.error or one.ended]


def test_sigusr2_reloads(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.worker_pids()
    os.kill(daemon.master_pid(), signal.SIGUSR2)
    wait_until(lambda: daemon.status()["last_reload"])
    assert daemon.status()["last_reload"]["ok"]
    assert daemon.log_lines("INFO", "reloaded: 1 new workers serve")
    assert not set(before) & set(daemon.worker_pids())


def test_sigusr2_with_a_broken_plugin_is_told_in_the_log(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.worker_pids()
    path = daemon.plugin("broken", "def (")
    os.kill(daemon.master_pid(), signal.SIGUSR2)
    wait_until(lambda: daemon.status()["last_reload"])
    assert not daemon.status()["last_reload"]["ok"]
    assert daemon.log_lines("ERROR", "the reload was refused", f"{path}:1")
    assert daemon.worker_pids() == before


def test_sigterm_to_the_daemonised_master_stops_it(daemon: Daemon) -> None:
    daemon.start()
    os.kill(daemon.master_pid(), signal.SIGTERM)
    wait_until(lambda: not daemon.pids())
    assert not daemon.pidfile.exists()
    assert not daemon.control_socket.exists()
