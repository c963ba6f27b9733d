"""Live connections move to the new workers: their clients notice nothing."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import pytest

from commscaffoldd.client.frame_client import FrameClient
from tests.system.crowd import check, crowd
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

COUNT = """
    import os, threading, time
    from commscaffoldd import handler, hookimpl

    @handler(5)
    def count(request):
        session = request.connection.session
        session["count"] = session.get("count", 0) + 1
        return b"%d" % session["count"]

    @handler(6)
    def hold_on(request):
        request.connection.session["lock"] = threading.Lock()
        return b"held"

    @handler(8)
    def wait_for_file(request):
        while not os.path.exists(request.body):
            time.sleep(0.01)
        return b"there it is"

    @handler(7)
    def slow(request):
        time.sleep(float(request.body))
        return request.body
    """


@pytest.fixture
def counting(daemon: Daemon) -> Daemon:
    """A daemon with the plugin above; not started."""
    daemon.plugin("count", COUNT)
    return daemon


@pytest.mark.parametrize("accept", ["exclusive", "reuseport"])
def test_no_client_notices_a_reload(daemon: Daemon, accept: str) -> None:
    with crowd(daemon, accept) as load:
        for _ in range(4):
            daemon.reload()
            load.flows()
        check(load)
        wait_until(lambda: daemon.gauge("connections") == 60)
        assert all(10 < one["statistics"]["connections"] < 50 for one in daemon.status()["workers"])


def test_a_session_and_messages_that_wait_go_along(counting: Daemon) -> None:
    counting.start()
    with counting.connect() as client:
        assert client.call(5) == b"1"
        client.send(7, b"0.3")
        for _ in range(10):
            client.send(5)
        wait_until(lambda: counting.count("messages_in") == 12)
        counting.reload()
        assert [client.receive().body for _ in range(11)] == [b"0.3", *(b"%d" % number for number in range(2, 12))]
        assert client.call(5) == b"12"


def test_who_cannot_move_is_told_to_reconnect(counting: Daemon) -> None:
    counting.configure(daemon={"handover_timeout": 0.3})
    counting.start()
    with counting.connect() as locked, counting.connect() as busy, counting.connect() as moving:
        assert locked.call(6) == b"held"
        busy.send(8, str(counting.folder / "go on").encode())
        assert moving.call(5) == b"1"
        wait_until(lambda: counting.count("messages_in") == 3)
        done = counting.reload()
        assert "1 connection moved" in done.out
        assert "session['lock'] cannot be carried: it holds _thread.lock" in done.out
        assert "1 connection could not: a handler was still running when the time was over" in done.out
        assert moving.call(5) == b"2"
        (counting.folder / "go on").touch()
        for client, expected in ((locked, []), (busy, [b"there it is"])):
            assert [client.receive().body for _ in expected] == expected
            assert client.receive().id == counting.layout().go_away_id


def test_a_connection_keeps_its_id_and_age(daemon: Daemon) -> None:
    daemon.start()
    with daemon.connect() as client:
        client.call(1, b"x")
        (before,) = daemon.ask("connections")["connections"]
        daemon.reload()
        client.call(1, b"y")
        (after,) = wait_until(lambda: daemon.ask("connections")["connections"])
    assert after["id"] == before["id"]
    assert after["peer"] == before["peer"]
    assert after["since"] >= before["since"]
    assert after["messages_in"] == 2
    assert after["worker"] != before["worker"]


@pytest.mark.parametrize("victims", ["old", "new"])
def test_whoever_is_killed_nothing_is_doubled_and_the_others_go_on(daemon: Daemon, victims: str) -> None:
    chance = random.Random(7)
    daemon.configure(daemon={"workers": 2}, flood={"enabled": False})
    daemon.start()
    for _ in range(2):
        with Load(daemon.address(), talkers=80) as load:
            load.flows()
            assert daemon.command("rebalance").code == 0
            old = daemon.ready()
            served = {row["peer"]: old[row["worker"]] for row in daemon.ask("connections")["connections"]}
            command = daemon.begin("reload")
            new = wait_until(lambda old=old: [pid for n, pid in daemon.ready().items() if n not in old])  # type: ignore[misc]
            time.sleep(chance.random() * 0.01)
            pid = chance.choice(list(old.values()) if victims == "old" else new)
            with contextlib.suppress(ProcessLookupError):  # it was done already
                os.kill(pid, signal.SIGKILL)
            command.communicate()
            wait_until(lambda: len(daemon.ready()) == 2)
            load.flows()
            load.finish()
            # Each reply was the next one, byte for byte; who was cut off was on the process that was killed.
            assert not [one.error for one in load.talkers if one.error and not one.error.startswith("reset")]
            if victims == "old":
                assert not [one.name for one in load.talkers if one.ended and served[one.name] != pid]
            else:  # each old worker has dealt out evenly
                assert sum(not one.ended for one in load.talkers) >= 20
            assert all(not one.waiting for one in load.talkers if not one.ended)


def newcomer(daemon: Daemon, old: dict[int, int]) -> int:
    """A worker that has just become ready."""
    return wait_until(lambda: next((pid for number, pid in daemon.ready().items() if number not in old), 0))


def test_a_receiver_that_is_stopped_holds_nobody_up_for_long(daemon: Daemon) -> None:
    with crowd(daemon, handover_timeout=20.0) as load:
        command = daemon.begin("reload")
        pid = newcomer(daemon, daemon.ready())
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        command.communicate()
        assert time.monotonic() - began < 10
        os.kill(pid, signal.SIGCONT)  # what it finds now is not its any more, but for what it had taken before
        load.flows()
        check(load)


def test_a_stop_in_the_middle_of_it_ends_soon(daemon: Daemon) -> None:
    with crowd(daemon, stop_timeout=20.0) as load:
        command = daemon.begin("reload")
        newcomer(daemon, daemon.ready())
        began = time.monotonic()
        daemon.stop()
        assert time.monotonic() - began < 10
        command.communicate()
        load.finish()
        for talker in load.talkers:
            assert not talker.error, talker.error
            assert talker.told


def test_a_reload_cuts_a_rebalancing_short(counting: Daemon) -> None:
    """Both want the same connections: one has a handler that runs."""
    counting.configure(daemon={"workers": 1})
    counting.start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(counting.connect()) for _ in range(4)]
        assert [client.call(5) for client in clients] == [b"1"] * 4
        for client in clients:
            client.send(8, str(counting.folder / "go on").encode())
        wait_until(lambda: counting.count("messages_in") == 8)
        before = counting.ready()
        scaling = counting.begin("scale", "2")  # which evens out when the new worker is ready
        wait_until(lambda: counting.log_lines("scaled to 2 workers"))
        reload = counting.begin("reload")
        wait_until(lambda: counting.log_lines("reloaded:"))
        (counting.folder / "go on").touch()
        reload.communicate()
        scaling.communicate()
        assert reload.returncode == 0
        for client in clients:
            assert client.receive().body == b"there it is"
            assert client.call(5) == b"2"
        assert not before.keys() & counting.ready().keys()
    assert not counting.log_lines("died")


def test_it_works_without_new_connections(daemon: Daemon) -> None:
    daemon.start()
    clients = [FrameClient(daemon.address(), daemon.layout()) for _ in range(50)]
    for _ in range(3):
        daemon.reload()
        assert all(client.call(1, b"%d" % number) == b"%d" % number for number, client in enumerate(clients))
    for client in clients:
        client.close()
    wait_until(lambda: daemon.gauge("connections") == 0)
