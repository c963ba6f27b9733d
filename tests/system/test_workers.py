"""Workers that die: replaced, without harm to the clients of others."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.system import processes
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import stays, wait_until

pytestmark = pytest.mark.usefixtures("each_engine")


def test_eight_workers_killed_one_after_another_under_load(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 8}, listen=[{"address": daemon.free_address(), "accept": "reuseport"}])
    daemon.start()
    first = daemon.ready()
    with Load(daemon.address(), 48) as load:
        load.flows()
        rows = daemon.ask("connections")["connections"]
        worker_of = {row["peer"]: row["worker"] for row in rows}
        assert len(worker_of) == 48
        assert len(set(worker_of.values())) >= 4, "the kernel spreads the clients"
        killed = set()
        for count, (number, pid) in enumerate(first.items(), start=1):
            os.kill(pid, signal.SIGKILL)
            killed.add(number)
            wait_until(lambda count=count: daemon.status()["restarts"]["count"] == count)  # type: ignore[misc]
            assert f"worker {number} (pid {pid}) died: signal 9" in daemon.status()["restarts"]["last"]
            load.flows()
            for talker in load.talkers:
                if worker_of[talker.name] in killed:
                    wait_until(lambda talker=talker: talker.ended)  # type: ignore[misc]
                else:
                    assert not talker.ended, f"{talker.name}: {talker.error}"
                    assert not talker.error
        wait_until(lambda: len(daemon.ready()) == 8)
    assert not set(daemon.ready().values()) & set(first.values())
    with Load(daemon.address(), 24) as load:
        load.flows()
        load.finish()
        assert not [talker.error for talker in load.talkers if talker.error or talker.ended]
        assert all(talker.waiting == 0 for talker in load.talkers)


def test_a_killed_workers_slot_is_filled_within_moments(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.start()
    before = daemon.ready()
    victim = min(before)
    os.kill(before[victim], signal.SIGKILL)
    wait_until(lambda: len(daemon.ready()) == 2 and before[victim] not in daemon.worker_pids(), timeout=5)
    assert daemon.log_lines("ERROR", f"worker {victim} (pid {before[victim]}) died: signal 9", "it is replaced")
    assert "1; the last: worker" in daemon.command("status").out


CRASHING = """
    import os, threading
    from commscaffoldd import handler, hookimpl

    @handler(7)
    def nothing(request): ...

    @hookimpl
    def worker_started():
        threading.Timer(0.05, os._exit, [9]).start()
    """


def test_a_crash_loop_slows_down_and_the_master_stays_responsive(daemon: Daemon) -> None:
    daemon.start()
    daemon.plugin("crashing", CRASHING)
    began = time.monotonic()
    daemon.reload()
    master = daemon.master_pid()
    busy = processes.cpu_seconds(master)

    delays = []
    for deaths in (1, 2, 3):
        wait_until(lambda deaths=deaths: daemon.status()["restarts"]["count"] >= deaths)  # type: ignore[misc]
        asked = time.monotonic()
        restarts = daemon.status()["restarts"]
        assert time.monotonic() - asked < 1
        assert restarts["count"] == deaths
        assert "died: exit code 9" in restarts["last"]
        delays.append(restarts["next_in"])
    assert 0 < delays[0] <= 1 < delays[1] <= 2 < delays[2] <= 4, delays
    assert processes.cpu_seconds(master) - busy < (time.monotonic() - began) / 4
    assert "dead: waiting" in [worker["state"] for worker in daemon.status()["workers"]]
    text = daemon.command("status").out
    assert "died: exit code 9" in text
    assert "the next in" in text

    (daemon.plugins / "crashing.py").unlink()
    daemon.reload()  # what was wrong has been put right: no more waiting
    assert daemon.status()["restarts"]["next_in"] is None
    with daemon.connect() as client:
        assert client.call(1, b"well again") == b"well again"


FAILS_LATER = """
    from pathlib import Path
    from commscaffoldd import handler, hookimpl

    @handler(7)
    def nothing(request): ...

    @hookimpl
    def worker_started(settings):
        if Path(settings["flag"]).exists():
            raise RuntimeError("no more")
    """


def test_a_replacement_that_cannot_start_is_tried_again_later(daemon: Daemon) -> None:
    flag = daemon.folder / "flag"
    daemon.plugin("later", FAILS_LATER)
    daemon.configure(plugin={"later": {"flag": str(flag)}})
    daemon.start()
    flag.touch()
    os.kill(daemon.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: daemon.status()["restarts"]["count"] == 2)
    assert "could not start" in daemon.status()["restarts"]["last"]
    assert "no more" in daemon.status()["restarts"]["last"]
    flag.unlink()
    wait_until(daemon.ready)
    with daemon.connect() as client:
        assert client.call(1, b"x") == b"x"


SLOW = """
    import time
    from pathlib import Path
    from commscaffoldd import handler

    @handler(7)
    def slow(request):
        time.sleep(float(request.body))
        return request.body

    @handler(8, inline=True)
    def inline(request):
        Path(request.body.decode()).touch()
        time.sleep(30)
    """


def test_a_worker_that_was_told_to_stop_by_sigterm_is_replaced(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW)
    daemon.start()
    (pid,) = daemon.worker_pids()
    with daemon.connect() as client:
        client.send(7, b"0.5")
        wait_until(lambda: daemon.count("messages_in") == 1)
        os.kill(pid, signal.SIGTERM)
        assert client.receive().body == b"0.5"
        assert client.receive().id == daemon.layout().go_away_id
        wait_until(lambda: not processes.is_alive(pid))
        wait_until(lambda: daemon.worker_pids() not in ([], [pid]))


def test_workers_end_within_a_second_after_their_master_was_killed(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 3})
    daemon.plugin("slow", SLOW)
    daemon.start()
    workers = daemon.worker_pids()
    with daemon.connect() as pooled, daemon.connect() as inline:
        pooled.send(7, b"30")
        wait_until(lambda: daemon.count("messages_in") == 1)
        flag = daemon.folder / "flag"
        inline.send(8, str(flag).encode())
        wait_until(flag.exists, what="the inline handler")
        os.kill(daemon.master_pid(), signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: not any(map(processes.is_alive, workers)), timeout=5)
        assert time.monotonic() - began < 1.5  # a second, and what a busy machine takes to run them
    assert daemon.log_lines("the master has died")


def test_a_stopped_worker_harms_only_its_own_clients(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2}, listen=[{"address": daemon.free_address(), "accept": "reuseport"}])
    daemon.start()
    with Load(daemon.address(), 16) as load:
        load.flows()
        rows = daemon.ask("connections")["connections"]
        frozen = min(daemon.ready())
        os.kill(daemon.ready()[frozen], signal.SIGSTOP)
        try:
            load.flows(row["peer"] for row in rows if row["worker"] != frozen)
            assert daemon.status()["state"] == "running"
            assert stays(lambda: len(daemon.pids()) == 3, 0.2)
        finally:
            os.kill(daemon.ready()[frozen], signal.SIGCONT)
        load.flows()
        load.finish()
        assert not [talker.error for talker in load.talkers if talker.error or talker.ended]
