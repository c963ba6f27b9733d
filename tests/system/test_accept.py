"""The three ways to share a listener between workers."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.system import processes
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

MODES = ["mutex", "exclusive", "reuseport"]


@pytest.mark.parametrize("mode", MODES)
def test_three_workers_serve_also_after_one_was_killed(daemon: Daemon, mode: str) -> None:
    daemon.configure(daemon={"workers": 3}, listen=[{"address": daemon.free_address(), "accept": mode}])
    daemon.start()
    with Load(daemon.address(), 30) as load:
        load.flows()
        rows = daemon.ask("connections")["connections"]
        assert len(rows) == 30
        victim = rows[0]["worker"]
        mine = {row["peer"] for row in rows if row["worker"] == victim}
        os.kill(daemon.ready()[victim], signal.SIGKILL)
        with Load(daemon.address(), 30) as later:  # while one is missing
            later.flows()
            later.finish()
            assert [talker.error for talker in later.talkers if talker.error or talker.ended] == []
        load.flows()
        load.finish()
        assert {talker.name for talker in load.talkers if talker.ended} == mine
        assert [talker.error for talker in load.talkers if talker.error and talker.name not in mine] == []
    wait_until(lambda: len(daemon.ready()) == 3)
    with Load(daemon.address(), 30) as load:
        load.flows()
        load.finish()
        assert [talker.error for talker in load.talkers if talker.error or talker.ended] == []


SLEEPS_IN_THE_REACTOR = """
    import time
    from pathlib import Path
    from commscaffoldd import handler

    @handler(7, inline=True)
    def sleep(request):
        Path(request.body.decode()).touch()
        time.sleep(60)
    """


@pytest.mark.parametrize("mode", ["mutex", "exclusive"])
def test_a_worker_that_is_busy_leaves_new_clients_to_others(daemon: Daemon, mode: str) -> None:
    daemon.plugin("sleeps", SLEEPS_IN_THE_REACTOR)
    daemon.configure(daemon={"workers": 2}, listen=[{"address": daemon.free_address(), "accept": mode}])
    daemon.start()
    with daemon.connect() as busy:
        flag = daemon.folder / "flag"
        busy.send(7, str(flag).encode())
        wait_until(flag.exists)
        for _ in range(20):
            with daemon.connect() as client:
                assert client.call(1, b"x") == b"x"


def stop_both(daemon: Daemon) -> tuple[int, int]:
    """Stop both workers at a moment when one of them holds the mutex; that one, and the other."""
    lock = daemon.run_dir / "accept.lock"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        pids = daemon.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(processes.is_stopped, pids)))  # noqa: B023
        for holder, other in (pids, pids[::-1]):
            if processes.holds_lock(holder, lock):
                return holder, other
        for pid in pids:  # between two waits nobody has it
            os.kill(pid, signal.SIGCONT)
    raise AssertionError("nobody ever holds the mutex")


def test_the_mutex_is_free_when_its_holder_is_stopped_and_killed(daemon: Daemon) -> None:
    """A stopped worker may hold it: nobody accepts meanwhile, at most. Killed, it has let go of it."""
    daemon.configure(daemon={"workers": 2}, listen=[{"address": daemon.free_address(), "accept": "mutex"}])
    daemon.start()
    killed, other = stop_both(daemon)
    clients = [daemon.connect() for _ in range(4)]
    for client in clients:
        client.send(1, b"waits")
    os.kill(killed, signal.SIGKILL)
    os.kill(other, signal.SIGCONT)
    for client in clients:
        assert client.receive().body == b"waits"
        client.close()
    wait_until(lambda: len(daemon.ready()) == 2)


def test_with_the_mutex_a_worker_near_its_limit_leaves_clients_to_others(daemon: Daemon) -> None:
    daemon.configure(
        daemon={"workers": 2},
        listen=[{"address": daemon.free_address(), "accept": "mutex"}],
        connections={"max": 20, "initial": 0},
    )
    daemon.start()
    clients = [daemon.connect() for _ in range(40)]  # all that both together may have
    for client in clients:
        assert client.call(1, b"x") == b"x"
    connections = [worker["statistics"]["connections"] for worker in daemon.status()["workers"]]
    wait_until(lambda: daemon.gauge("connections") == 40, what=f"20 and 20, not {connections}")
    for client in clients:
        client.close()


def test_all_modes_at_once(daemon: Daemon) -> None:
    daemon.configure(
        daemon={"workers": 2}, listen=[{"address": daemon.free_address(), "accept": mode} for mode in MODES]
    )
    daemon.start()
    for listener in range(3):
        with Load(daemon.address(listener), 10) as load:
            load.flows()
            load.finish()
            assert [talker.error for talker in load.talkers if talker.error or talker.ended] == []
