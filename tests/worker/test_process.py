"""A worker process, from its fork to its end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from commscaffoldd.worker.process import CRASHED, FAILED_TO_START, MASTER_DIED, STOPPED
from commscaffoldd.worker.signals import DUMP_STACKS, KILLED_AT_ONCE
from tests.core.waiting import wait_until
from tests.worker.forked import Forked, forked_worker

pytestmark = pytest.mark.usefixtures("each_engine")

READY = {"event": "ready"}


def test_it_gets_ready_serves_and_stops(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        assert worker.hear() == READY
        peer = worker.connect()
        assert worker.call(peer, 1, b"hello") == b"hello"
        assert worker.call(peer, 2) == b"%d" % worker.pid
        assert worker.ask(command="stop", timeout=10.0) == {"event": "stopping"}
        wait_until(lambda: peer.gone)
        assert peer.frames[-1][0] == 0xFFFFFFFE
        peer.close()
        assert worker.wait() == STOPPED
        assert (tmp_path / "plugins" / "stopped").read_text() == "7"
        assert worker.hear() == {}


def test_its_numbers_are_in_shared_memory_and_outlive_it(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        worker.hear()
        peer = worker.connect()
        for _ in range(3):
            worker.call(peer, 1, b"x")
        row = worker.statistics.row(0)
        wait_until(lambda: row.read()["messages_in"] == 3)
        assert row.read()["connections"] == 1
        assert row.read()["accepting"] == 1
        assert time.monotonic_ns() - row.read()["turned_ns"] < 20e9
        peer.close()
        worker.ask(command="stop", timeout=10.0)
        worker.wait()
        numbers = row.read()
        assert (numbers["messages_out"], numbers["accepted"], numbers["closed"]) == (3, 1, 1)


def test_several_listeners(tmp_path: Path) -> None:
    with forked_worker(tmp_path, listeners=2) as worker:
        worker.hear()
        assert [worker.call(worker.connect(index), 1, b"x") for index in (0, 1)] == [b"x", b"x"]


@pytest.mark.parametrize("accept", ["mutex", "exclusive"])
def test_ways_to_accept(tmp_path: Path, accept: str) -> None:
    with forked_worker(tmp_path, f'accept = "{accept}"\n') as worker:
        worker.hear()
        assert worker.call(worker.connect(), 1, b"x") == b"x"
        assert (tmp_path / "accept.lock").exists() is (accept == "mutex")


def test_a_silent_peer_is_closed(tmp_path: Path) -> None:
    with forked_worker(tmp_path, "[heartbeat]\ninterval = 0.1\nmisses = 2") as worker:
        worker.hear()
        peer = worker.connect()
        wait_until(lambda: peer.gone)
        wait_until(lambda: worker.statistics.row(0).read()["silent_peers"] == 1)


def test_a_closed_slot_is_recycled(tmp_path: Path) -> None:
    with forked_worker(tmp_path, "[connections]\ninitial = 1\nrecycle_delay = 0.0") as worker:
        worker.hear()
        for _ in range(3):
            peer = worker.connect()
            worker.call(peer, 1, b"x")
            peer.close()
            numbers = worker.statistics.row(0)
            wait_until(lambda: numbers.read()["connections"] == numbers.read()["cooling"] == 0)  # noqa: B023
        assert worker.statistics.row(0).read()["slots"] == 1


# -- stopping ----------------------------------------------------------------------------------------------


def busy(worker: Forked, seconds: str) -> None:
    worker.hear()
    peer = worker.connect()
    peer.send(3, seconds.encode())
    wait_until(lambda: worker.statistics.row(0).read()["messages_in"] == 1)


def test_a_graceful_stop_waits_for_handlers(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        busy(worker, "0.5")
        worker.kill(signal.SIGTERM)
        (peer,) = worker.peers
        wait_until(lambda: peer.gone)
        assert peer.bodies() == [b"slept", b""]
        peer.close()
        assert worker.wait() == STOPPED


def test_a_handler_that_does_not_return_is_left(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        busy(worker, "300")
        began = time.monotonic()
        worker.tell(command="stop", timeout=0.3)
        assert worker.wait() == STOPPED
        assert time.monotonic() - began < 5
        assert ": 1 handlers were still running after stop_timeout" in worker.log


def test_quit_is_at_once(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        busy(worker, "300")
        worker.tell(command="quit")
        assert worker.wait() == STOPPED


def test_sigquit_is_at_once(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        busy(worker, "300")
        worker.kill(signal.SIGQUIT)
        assert worker.wait() == KILLED_AT_ONCE


@pytest.mark.parametrize("seconds", ["", "300"])
def test_when_the_master_dies_it_stops_within_a_second(tmp_path: Path, seconds: str) -> None:
    with forked_worker(tmp_path) as worker:
        if seconds:
            busy(worker, seconds)
        else:
            worker.hear()
        worker.lines.close()
        worker.channel.close()
        began = time.monotonic()
        assert worker.wait() == MASTER_DIED
        assert time.monotonic() - began < 2  # one second, and what a busy machine adds
        assert "the master has died" in worker.log
        worker.lines = open(os.devnull, "rb")  # noqa: PTH123, SIM115


# -- signals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR2, signal.SIGTTIN, signal.SIGPIPE])
def test_signals_that_are_not_for_workers(tmp_path: Path, number: int) -> None:
    with forked_worker(tmp_path) as worker:
        worker.hear()
        worker.kill(number)
        assert worker.call(worker.connect(), 1, b"alive") == b"alive"


def test_the_log_is_reopened_by_command_and_by_signal(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        worker.hear()
        log = tmp_path / "log"
        log.rename(tmp_path / "old")
        assert worker.ask(command="reopen", request=1) == {"event": "answer", "request": 1, "ok": True}
        assert log.exists()
        log.rename(tmp_path / "older")
        worker.kill(signal.SIGUSR1)
        wait_until(log.exists)
        log.rename(tmp_path / "oldest")
        log.mkdir()
        answer = worker.ask(command="reopen", request=2)
        assert f"cannot reopen the log {log}: Is a directory" in answer["error"]


# -- failing to start --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plugin", "kind", "says"),
    [
        ("1 +", "plugin", "greet"),
        ("raise SystemExit(5)", "plugin", "called sys.exit(5)"),
        (
            "from commscaffoldd import handler\n@handler(4294967295)\ndef f(request): ...",
            "plugin",
            "the daemon's own",
        ),
        (
            "from commscaffoldd import hookimpl\n@hookimpl\ndef worker_started(worker): raise OSError('no database')",
            "plugin",
            "no database",
        ),
    ],
)
def test_a_plugin_that_cannot_be_is_reported(tmp_path: Path, plugin: str, kind: str, says: str) -> None:
    with forked_worker(tmp_path, plugin=plugin) as worker:
        told = worker.hear()
        assert (told["event"], told["kind"]) == ("failed", kind)
        assert says in "\n".join(told["errors"])
        assert worker.wait() == FAILED_TO_START


def test_an_accept_lock_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    (tmp_path / "accept.lock").mkdir()
    with forked_worker(tmp_path, 'accept = "mutex"\n') as worker:
        told = worker.hear()
        assert (told["event"], told["kind"]) == ("failed", "start")
        assert "Is a directory" in told["errors"][0]
        assert worker.wait() == FAILED_TO_START


# -- questions ---------------------------------------------------------------------------------------------


def test_questions_are_answered(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        worker.hear()
        worker.call(worker.connect(), 1, b"x")
        answer = worker.ask(command="connections", request=5)
        assert (answer["request"], answer["truncated"]) == (5, False)
        (row,) = answer["connections"]
        assert (row["worker"], row["messages_in"], row["layout"]) == (7, 1, "standard")
        routes = worker.ask(command="routes", request=6)["routes"]
        assert [(one["id"], one["function"], one["mode"]) for one in routes] == [
            (1, "echo", "pool"),
            (2, "pid", "inline"),
            (3, "slow", "pool"),
        ]
        assert "does not know the command 'dance'" in worker.ask(command="dance", request=7)["error"]


def test_a_worker_whose_own_thread_ends_by_an_exception_does_not_live_on_mute(tmp_path: Path) -> None:
    plugin = """
from commscaffoldd import handler
from commscaffoldd.core.connection_pool import ConnectionPool

@handler(1)
def break_the_recycler(request):
    def fail(self, now):
        raise MemoryError("made by the test")
    ConnectionPool.recycle = fail
"""
    with forked_worker(tmp_path, plugin=plugin) as worker:
        assert worker.hear() == READY
        worker.connect().send(1)
        assert worker.wait() == CRASHED
        assert "thread recycler ended by an unexpected MemoryError: made by the test" in worker.log


# -- handlers that hang or fail ----------------------------------------------------------------------------

IMPATIENT = """
[business]
threads = 1
handler_timeout = 0.2
[quarantine]
timeouts = 1
first = 300.0
"""


def test_the_master_is_told_what_is_quarantined_and_that_all_threads_hang(tmp_path: Path) -> None:
    with forked_worker(tmp_path, IMPATIENT) as worker:
        busy(worker, "300")
        told = worker.hear()
        assert told["event"] == "quarantine"
        (row,) = told["quarantined"]
        assert (row["id"], row["plugin"], row["function"], row["span"]) == (3, "greet", "slow", 300.0)
        assert row["reason"] == "took longer than 0.2 s once in a row"
        assert worker.hear() == {"event": "hung", "what": "all its business threads"}
        assert worker.hear() == {"event": "hung", "what": "all its business threads"}, (
            "again, in case that nothing could be done"
        )


def test_what_another_one_had_quarantined_is_inherited_and_can_be_released(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        worker.hear()
        rows = [{"id": 1, "reason": "hung", "span": 300.0}, {"id": 99, "reason": "gone", "span": 1.0}]
        told = worker.ask(command="inherit", quarantined=rows)
        assert [(row["id"], row["reason"], row["span"]) for row in told["quarantined"]] == [(1, "hung", 300.0)]
        peer = worker.connect()
        assert b"message ID 1 is quarantined: its handler hung; it is tried again in" in worker.call(peer, 1, b"x")
        assert worker.ask(command="release", request=5, id=1) == {"event": "answer", "request": 5, "released": True}
        assert worker.call(peer, 1, b"x") == b"x"
        assert worker.hear() == {"event": "quarantine", "quarantined": []}
        assert worker.ask(command="release", request=6, id=1)["released"] is False


def test_a_signal_has_it_write_its_threads_stacks_and_go_on(tmp_path: Path) -> None:
    with forked_worker(tmp_path) as worker:
        busy(worker, "0.5")
        worker.kill(DUMP_STACKS)
        wait_until(lambda: "in slow" in worker.log)
        assert f'File "{tmp_path}/plugins/greet.py", line' in worker.log
        (peer,) = worker.peers
        wait_until(lambda: peer.bodies() == [b"slept"])
