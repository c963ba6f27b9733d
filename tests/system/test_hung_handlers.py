"""Handlers that hang, fail or block the reactor: what their clients get, what others notice, what operators see."""

from __future__ import annotations

import json
import os
import signal

import pytest

from commscaffoldd.client.errors import ErrorReply
from commscaffoldd.client.frame_client import FrameClient
from tests.system.daemon import Daemon
from tests.system.waiting import stays, wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

TIMED_OUT = 4
QUARANTINED = 6

MOODY = """
    import threading, time
    from pathlib import Path
    from commscaffoldd import handler

    def deep_inside(flag):
        while not Path(flag).exists():
            time.sleep(0.01)

    @handler(7)
    def hangs(request):
        deep_inside(request.body.decode())
        return b"late"

    @handler(8, inline=True)
    def blocks_the_reactor(request):
        deep_inside(request.body.decode())
        return b"late"

    @handler(9)
    def computes(request):
        while not Path(request.body.decode()).exists():
            sum(range(10000))
        return b"late"

    @handler(10)
    def fails_without(request):
        if not Path(request.body.decode()).exists():
            raise ValueError("there is no file")
        return b"well"

    @handler(11, timeout=60)
    def patient(request):
        time.sleep(1.0)
        return b"in time"
    """


@pytest.fixture
def moody(daemon: Daemon) -> Daemon:
    """A daemon with handlers of all kinds, each of which goes on once the file in its message is there."""
    daemon.plugin("moody", MOODY)
    daemon.configure(business={"handler_timeout": 0.3, "threads": 3}, quarantine={"timeouts": 50, "failures": 3})
    return daemon


def error_of(client: FrameClient, message_id: int, body: bytes) -> int:
    """The code of the error reply that a message gets; 0 for a reply."""
    try:
        client.call(message_id, body)
    except ErrorReply as error:
        return error.code
    return 0


@pytest.mark.parametrize(("message_id", "name"), [(7, "hangs"), (8, "blocks_the_reactor"), (9, "computes")])
def test_the_client_gets_error_4_and_the_log_says_where_it_hangs(moody: Daemon, message_id: int, name: str) -> None:
    moody.start()
    flag = moody.folder / "flag"
    with moody.connect() as client:
        assert error_of(client, message_id, str(flag).encode()) == TIMED_OUT
        assert moody.log_lines(
            "ERROR", f"handler {name} of plugin moody, message ID {message_id}", "still runs after 0."
        )
        assert moody.log_lines('moody.py", line', f"in {name}")
        assert bool(moody.log_lines('moody.py", line', "in deep_inside")) is (name != "computes")
        if message_id != 8:
            with moody.connect() as other:
                assert other.call(1, b"goes on") == b"goes on"
        flag.touch()
        assert client.call(1, b"next") == b"next", "what came late went nowhere"
        wait_until(lambda: moody.count("late_replies") == 1)
        wait_until(lambda: moody.log_lines("WARNING", name, "has come back after"))
    assert moody.count("handler_timeouts") == 1
    assert "handler timeouts 1" in moody.command("status").out


def test_a_handler_with_a_timeout_of_its_own_may_take_longer(moody: Daemon) -> None:
    moody.start()
    with moody.connect() as client:
        assert client.call(11) == b"in time"
    rows = {row["id"]: row["timeout"] for row in json.loads(moody.command("routes", "--json").out)}
    assert (rows[7], rows[11]) == (0.3, 60.0)
    assert "1 min" in moody.command("routes").out


def test_an_id_that_keeps_failing_is_quarantined_shown_and_released(moody: Daemon) -> None:
    moody.configure(quarantine={"first": 300.0})
    moody.start()
    flag = moody.folder / "flag"
    with moody.connect() as client:
        codes = [error_of(client, 10, str(flag).encode()) for _ in range(5)]
        assert codes == [3, 3, 3, QUARANTINED, QUARANTINED]
        with pytest.raises(ErrorReply, match="its handler failed 3 times in a row; it is tried again in 300"):
            client.call(10, str(flag).encode())
        assert client.call(1, b"others go on") == b"others go on"

        (row,) = wait_until(lambda: moody.status()["quarantined"])
        assert (row["worker"], row["id"], row["plugin"], row["function"]) == (1, 10, "moody", "fails_without")
        assert (row["reason"], row["last"]) == ("failed 3 times in a row", "ValueError: there is no file")
        assert row["since"] < row["until"]
        text = moody.command("status").out
        assert "quarantined  message ID 10 (handler fails_without of plugin moody) in worker 1, since 20" in text
        routes = {row["id"]: row["quarantined"] for row in json.loads(moody.command("routes", "--json").out)}
        assert [one["worker"] for one in routes[10]] == [1]
        assert routes[1] == []
        assert "in worker 1" in moody.command("routes").out

        flag.touch()
        assert error_of(client, 10, str(flag).encode()) == QUARANTINED, "its time is not over"
        assert moody.command("release", "10") == (0, "message ID 10 is released in worker 1\n", "")
        assert client.call(10, str(flag).encode()) == b"well"
        wait_until(lambda: not moody.status()["quarantined"])
    assert moody.settled("quarantined") == 4
    refused = moody.command("release", "10")
    assert (refused.code, refused.err) == (1, "error: message ID 10 is not quarantined in any worker\n")


def test_a_quarantined_id_comes_back_by_itself(moody: Daemon) -> None:
    moody.configure(quarantine={"first": 0.1, "longest": 0.5})
    moody.start()
    flag = moody.folder / "flag"
    with moody.connect() as client:
        wait_until(lambda: error_of(client, 10, str(flag).encode()) == QUARANTINED)
        wait_until(lambda: error_of(client, 10, str(flag).encode()) == 3, what="a try")
        wait_until(
            lambda: moody.log_lines("message ID 10", "quarantined for 0.2 s: it failed when it was tried again")
        )
        flag.touch()
        wait_until(lambda: error_of(client, 10, str(flag).encode()) == 0)
        assert moody.log_lines("WARNING", "message ID 10", "is released: it has handled a message again")
        assert error_of(client, 10, str(flag).encode()) == 0


def test_an_id_that_keeps_hanging_is_quarantined_and_its_connection_goes_on(moody: Daemon) -> None:
    moody.configure(quarantine={"timeouts": 2, "first": 300.0})
    moody.start()
    flag = moody.folder / "flag"
    clients = [moody.connect() for _ in range(3)]
    try:
        for client in clients[:2]:
            assert error_of(client, 7, str(flag).encode()) == TIMED_OUT
        assert error_of(clients[2], 7, str(flag).encode()) == QUARANTINED
        assert clients[2].call(1, b"x") == b"x"
        flag.touch()
    finally:
        for client in clients:
            client.close()


def test_when_hung_handlers_hold_all_threads_the_worker_is_replaced(moody: Daemon) -> None:
    moody.configure(quarantine={"first": 300.0})
    moody.start()
    (pid,) = moody.worker_pids()
    flag = moody.folder / "flag"
    clients = [moody.connect() for _ in range(3)]
    try:
        for client in clients:
            client.send(7, str(flag).encode())
        for client in clients:
            assert b"took longer than 0.3 s" in client.receive().body
        wait_until(lambda: moody.worker_pids() not in ([], [pid]), what="another worker")
        with moody.connect() as other:
            assert other.call(1, b"served") == b"served"
            wait_until(lambda: error_of(other, 7, str(flag).encode()) == QUARANTINED)
        assert moody.log_lines("ERROR", f"(pid {pid}): hung handlers hold all its business threads")
        assert moody.status()["restarts"]["count"] == 1
        assert {row["reason"] for row in moody.status()["quarantined"]} == {
            "hung, with others, until every business thread was held"
        }
        flag.touch()
        wait_until(lambda: len(moody.status()["workers"]) == 1, what="the end of the old worker")
    finally:
        for client in clients:
            client.close()


HANGING = """
    import re, signal, time
    from commscaffoldd import handler

    @handler(7, inline=True, timeout=0)
    def sleeps(request):
        time.sleep(600)

    @handler(8, timeout=0)
    def keeps_the_gil(request):
        re.match(r"(a+)+$", "a" * 60 + "b")
    """


@pytest.mark.parametrize(("message_id", "name"), [(7, "sleeps"), (8, "keeps_the_gil")])
def test_a_worker_whose_reactor_stands_still_is_replaced(daemon: Daemon, message_id: int, name: str) -> None:
    path = daemon.plugin("hanging", HANGING)
    daemon.configure(
        daemon={"worker_timeout": 1.0, "workers": 2},
        listen=[{"address": daemon.free_address(), "accept": "reuseport"}],
    )
    daemon.start()
    with daemon.connect() as client:
        number = daemon.worker_of(client)
        before = daemon.ready()
        client.send(message_id)
        wait_until(lambda: before[number] not in daemon.worker_pids())
        wait_until(lambda: len(daemon.ready()) == 2)
    assert set(before.values()) & set(daemon.worker_pids()), "the other worker has not noticed"
    assert daemon.log_lines(
        "ERROR", f"worker {number} (pid {before[number]}) hangs: its reactor had not turned for 1."
    )
    assert daemon.log_lines(f'File "{path}", line', f"in {name}")
    assert "was killed: its reactor had not turned" in daemon.status()["restarts"]["last"]


def test_the_stacks_go_to_the_log_that_was_reopened(daemon: Daemon) -> None:
    path = daemon.plugin("hanging", HANGING)
    daemon.configure(daemon={"worker_timeout": 0.5})
    daemon.start()
    (pid,) = daemon.worker_pids()
    daemon.log_path.rename(daemon.folder / "rotated")
    assert daemon.command("reopen").code == 0
    with daemon.connect() as client:
        client.send(7)
        wait_until(lambda: daemon.worker_pids() not in ([], [pid]))
    assert daemon.log_lines(f'File "{path}", line', "in sleeps")


def test_a_stopped_worker_counts_as_hung(daemon: Daemon) -> None:
    daemon.configure(daemon={"worker_timeout": 0.5})
    daemon.start()
    (pid,) = daemon.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: daemon.worker_pids() not in ([], [pid]))
    assert daemon.log_lines("ERROR", f"(pid {pid}) hangs", "it is stopped, so it cannot write its stacks")


def test_a_worker_with_nothing_to_do_is_not_hung(daemon: Daemon) -> None:
    daemon.configure(daemon={"worker_timeout": 1.0})
    daemon.start()
    pids = daemon.worker_pids()
    assert stays(lambda: daemon.worker_pids() == pids, 2.5)
