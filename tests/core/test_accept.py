"""Accepting: modes, the accept mutex, limits, and what happens when it cannot be done."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.core.accept import BACK_OFF, BATCH, MUTEX_DELAY, AcceptMutex, Acceptor, Listener, accept_some
from commscaffoldd.core.counters import Counters
from tests.core.engine_rig import Mode
from tests.core.slots import make_endpoint

pytestmark = pytest.mark.usefixtures("each_engine")

INFINITE = float("inf")


class Bench:
    """An acceptor on a listener with clients that wait."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.epoll = select.epoll()
        self.counters = Counters()
        self.mutexes: list[AcceptMutex] = []
        self.clients: list[socket.socket] = []

    def acceptor(self, mode: Mode = "exclusive", lock: Path | None = None, maximum: int = 80) -> Acceptor:
        mutex = None
        if lock is not None:
            mutex = AcceptMutex(lock)
            self.mutexes.append(mutex)
        return Acceptor(
            [Listener(self.listening, make_endpoint(), mode)], self.epoll, accept_some, mutex, maximum, self.counters
        )

    def connect(self, number: int = 1) -> None:
        for _ in range(number):
            self.clients.append(socket.create_connection(self.listening.getsockname()))

    def accept(self, acceptor: Acceptor, room: int = 80, now: float = 100.0) -> int:
        taken = acceptor.accept(self.listening.fileno(), room, now)
        self.clients += [client for client, _, _ in taken]
        return len(taken)


@pytest.fixture
def bench() -> Iterator[Bench]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setblocking(False)
    made = Bench(listening)
    yield made
    made.epoll.close()
    for mutex in made.mutexes:
        mutex.close()
    for client in made.clients:
        client.close()
    listening.close()


@pytest.mark.parametrize("mode", ["exclusive", "reuseport"])
def test_it_watches_while_there_is_room(bench: Bench, mode: Mode) -> None:
    acceptor = bench.acceptor(mode)
    assert acceptor.prepare(1, 100.0) == INFINITE
    assert [acceptor.accepting] == [True]
    bench.connect()
    assert [fd for fd, _ in bench.epoll.poll(5)] == [bench.listening.fileno()]
    acceptor.prepare(0, 100.0)
    assert not acceptor.accepting
    assert bench.epoll.poll(0) == []
    acceptor.prepare(1, 100.0)
    assert len(bench.epoll.poll(0)) == 1


def test_accepted_sockets_do_not_block(bench: Bench) -> None:
    bench.connect()
    ((client, peer, endpoint),) = bench.acceptor().accept(bench.listening.fileno(), 80, 100.0)
    assert not client.getblocking()
    assert peer == bench.clients[0].getsockname()
    assert endpoint.layout.name == "standard"
    bench.clients.append(client)


def test_a_turn_accepts_no_more_than_its_share_and_than_there_is_room(bench: Bench) -> None:
    bench.connect(BATCH + 5)
    acceptor = bench.acceptor()
    assert bench.accept(acceptor, room=3) == 3
    assert bench.accept(acceptor, room=1000) == BATCH
    assert bench.accept(acceptor, room=1000) == 2
    assert bench.accept(acceptor, room=1000) == 0


def test_other_descriptors_are_not_listeners(bench: Bench) -> None:
    assert bench.acceptor().accept(0, 80, 100.0) == []


def test_after_stop_nothing_is_watched_any_more(bench: Bench) -> None:
    acceptor = bench.acceptor()
    acceptor.prepare(1, 100.0)
    acceptor.stop()
    acceptor.prepare(1, 100.0)
    assert not acceptor.accepting
    bench.connect()
    assert bench.epoll.poll(0) == []


# -- out of descriptors ------------------------------------------------------------------------------------


class Failing:
    """A listening socket whose accept fails, as told."""

    def __init__(self, listening: socket.socket, *errors: int) -> None:
        self._listening = listening
        self.errors = list(errors)

    def fileno(self) -> int:
        return self._listening.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return self._listening.accept()


def failing(bench: Bench, *errors: int) -> Acceptor:
    return Acceptor(
        [Listener(Failing(bench.listening, *errors), make_endpoint(), "exclusive")],  # type: ignore[arg-type]
        bench.epoll,
        accept_some,
        None,
        80,
        bench.counters,
    )


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINVAL])
def test_what_cannot_be_accepted_now_makes_it_back_off_and_log_once(
    bench: Bench, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    """EINVAL is a listener that somebody has shut: trying again at once would never end."""
    acceptor = failing(bench, error, error)
    bench.connect()
    with caplog.at_level(logging.INFO):
        assert bench.accept(acceptor, now=100.0) == 0
        assert acceptor.prepare(80, 100.0) == pytest.approx(BACK_OFF)
        assert not acceptor.accepting
        assert acceptor.prepare(80, 100.1) == INFINITE
        assert bench.accept(acceptor, now=100.1) == 0
        assert len(caplog.records) == 1
        assert os.strerror(error) in caplog.text
        assert bench.counters.accept_failures == 2
        assert bench.accept(acceptor, now=100.3) == 1
    assert [record.getMessage() for record in caplog.records][1:] == ["accepting again"]


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
def test_a_client_that_has_gone_is_passed_over(bench: Bench, error: int) -> None:
    bench.connect()
    acceptor = failing(bench, error, error)
    assert bench.accept(acceptor) == 1
    assert bench.counters.accept_failures == 0


# -- the accept mutex --------------------------------------------------------------------------------------


def test_one_worker_at_a_time_watches(bench: Bench, tmp_path: Path) -> None:
    first = bench.acceptor("mutex", tmp_path / "lock")
    with select.epoll() as others:
        mutex = AcceptMutex(tmp_path / "lock")
        bench.mutexes.append(mutex)
        second = Acceptor(
            [Listener(bench.listening, make_endpoint(), "mutex")], others, accept_some, mutex, 80, bench.counters
        )
        assert first.prepare(80, 100.0) == INFINITE
        assert second.prepare(80, 100.0) == MUTEX_DELAY
        assert (first.accepting, second.accepting) == (True, False)
        first.settle()
        assert second.prepare(80, 100.1) == INFINITE
        assert first.prepare(80, 100.1) == MUTEX_DELAY
        assert (first.accepting, second.accepting) == (False, True)


def test_the_mutex_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    pipe_in, pipe_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        AcceptMutex(tmp_path / "lock").try_acquire()
        os.write(pipe_out, b"held")
        select.select([], [], [], 60)
        os._exit(0)
    os.read(pipe_in, 4)
    mutex = AcceptMutex(tmp_path / "lock")
    assert not mutex.try_acquire()
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert mutex.try_acquire()
    mutex.close()
    os.close(pipe_in)
    os.close(pipe_out)


def test_a_worker_near_its_limit_leaves_accepting_to_others(bench: Bench, tmp_path: Path) -> None:
    """It asks only now and then, and takes one client at a time."""
    acceptor = bench.acceptor("mutex", tmp_path / "lock", maximum=80)
    bench.connect(5)
    assert acceptor.prepare(9, 100.0) == INFINITE  # the first time it asks
    assert bench.accept(acceptor, room=9) == 1
    acceptor.settle()
    assert acceptor.prepare(8, 100.05) == MUTEX_DELAY
    assert not acceptor.accepting
    assert acceptor.prepare(8, 100.11) == INFINITE
    assert acceptor.accepting


def test_a_worker_with_room_takes_the_mutex_each_time_and_many_clients(bench: Bench, tmp_path: Path) -> None:
    acceptor = bench.acceptor("mutex", tmp_path / "lock", maximum=80)
    bench.connect(5)
    for _ in range(3):
        assert acceptor.prepare(80, 100.0) == INFINITE
        acceptor.settle()
    assert bench.accept(acceptor) == 5


def test_stopping_lets_go_of_the_mutex(bench: Bench, tmp_path: Path) -> None:
    acceptor = bench.acceptor("mutex", tmp_path / "lock")
    acceptor.prepare(80, 100.0)
    other = AcceptMutex(tmp_path / "lock")
    bench.mutexes.append(other)
    assert not other.try_acquire()
    acceptor.stop()
    assert other.try_acquire()
