"""`on_connect`: what both clients do on each new connection before it takes calls."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from commscaffoldd.client import (
    ConnectionClosed,
    NotHandled,
    Reconnect,
)
from tests.client.both import AnyCaller, Open, each_client
from tests.client.opened import Opened
from tests.client.scripted_server import Peer, ScriptedServer, scripted_server
from tests.client.test_reconnecting import SOON, States, answered

LOGIN = 5


class Login(msgspec.Struct):
    name: str


def log_in(caller: AnyCaller) -> None:
    assert caller.call(LOGIN, Login("Ann"), reply=str) == "welcome"


def logged_in(server: ScriptedServer) -> Peer:
    """The next connection; its first message is the login, which is answered."""
    peer = server.accept()
    request = peer.read()
    assert (request.id, msgspec.msgpack.decode(request.body)) == (LOGIN, {"name": "Ann"})
    peer.reply(request, b"welcome")
    return peer


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


# -- when it is called ---------------------------------------------------------------------------------------


@each_client
def test_it_comes_first_on_the_first_connection(connect: Open, pool: ThreadPoolExecutor) -> None:
    with scripted_server() as server, Opened(pool, connect, server, on_connect=log_in) as opened:
        peer = logged_in(server)
        assert answered(opened.client(), peer, b"x")


@each_client
def test_connecting_waits_until_it_is_done(connect: Open, pool: ThreadPoolExecutor) -> None:
    go_on = threading.Event()
    states = States()

    def wait(caller: AnyCaller) -> None:
        caller.send(LOGIN, b"begun")
        go_on.wait(10)

    options = {"on_connect": wait, "on_state": states.put, "connect_timeout": 20.0}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        peer = server.accept()
        assert peer.read().body == b"begun"
        assert not opened.made.done()
        assert states.empty()
        go_on.set()
        assert answered(opened.client(), peer, b"x")
        states.until("connected")


@each_client
def test_after_a_break_calls_wait_until_it_is_done_again(connect: Open, pool: ThreadPoolExecutor) -> None:
    states = States()
    options = {"on_connect": log_in, "on_state": states.put, "reconnect": SOON}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        first = logged_in(server)
        client = opened.client()
        first.close()
        states.until("lost")
        calls = [client.begin(1, b"patient") for _ in range(3)]
        second = server.accept()
        login = second.read()
        assert login.id == LOGIN
        second.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            second.read()
        second.socket.settimeout(10)
        second.reply(login, b"welcome")
        for _ in calls:
            request = second.read()
            second.reply(request, request.body)
        assert [call.result(10) for call in calls] == [b"patient"] * 3


@each_client
def test_after_go_away_it_is_called_on_the_new_connection(connect: Open, pool: ThreadPoolExecutor) -> None:
    options = {"on_connect": log_in, "reconnect": SOON}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        old = logged_in(server)
        call = opened.client().begin(1, b"not read")
        old.read()
        old.go_away()
        new = logged_in(server)
        old.close()
        request = new.read()
        assert request.body == b"not read"
        new.reply(request, b"done")
        assert call.result(10) == b"done"


@each_client
def test_each_connection_of_a_pool_has_its_own(connect: Open, pool: ThreadPoolExecutor) -> None:
    options = {"on_connect": log_in, "reconnect": SOON, "connections": 2}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        peers = [logged_in(server), logged_in(server)]
        client = opened.client()
        peers[0].close()
        logged_in(server)
        assert client.pushes_dropped == 0
        assert server.nobody_comes(0.1)


# -- when it fails -------------------------------------------------------------------------------------------


@each_client
def test_the_first_time_its_error_is_raised_and_nothing_is_tried_again(
    connect: Open, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: AnyCaller) -> None:
        raise RuntimeError("no token")

    with (
        scripted_server() as server,
        Opened(pool, connect, server, on_connect=fail, reconnect=SOON, connections=2) as opened,
    ):
        assert repr(opened.failure()) == "RuntimeError('no token')"
        assert server.accept().at_end()
        if server.somebody_waits(0.1):  # the other one of the pool
            assert server.accept().at_end()
        assert server.nobody_comes(0.1)
    assert caplog.text == ""


@each_client
def test_a_login_that_is_refused_the_first_time(connect: Open, pool: ThreadPoolExecutor) -> None:
    with scripted_server() as server, Opened(pool, connect, server, on_connect=log_in) as opened:
        peer = server.accept()
        peer.refuse(peer.read(), 1007, "who are you?")
        assert str(opened.failure()) == "error 1007: who are you?"
        assert peer.at_end()
        assert server.nobody_comes(0.1)


@each_client
@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "is closed by the daemon"])
def test_a_login_that_is_refused_later_is_not_tried_for_ever(
    connect: Open, pool: ThreadPoolExecutor, *, closes: bool
) -> None:
    states = States()
    options = {"on_connect": log_in, "on_state": states.put, "reconnect": SOON}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        logged_in(server).close()
        peer = server.accept()
        peer.refuse(peer.read(), 1007, "no more")
        if closes:
            peer.close()
        assert states.until("failed").reason == f"{server.address}: on_connect has failed: error 1007: no more"
        with pytest.raises(ConnectionClosed, match="error 1007: no more"):
            opened.client().call(1)
        assert server.nobody_comes(0.1)


@each_client
def test_what_may_be_better_another_time_is_tried_again(connect: Open, pool: ThreadPoolExecutor) -> None:
    states = States()
    options = {"on_connect": log_in, "on_state": states.put, "reconnect": SOON}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        logged_in(server).close()
        states.until("lost")
        for code in (3, 4, 5, 6):
            peer = server.accept()
            peer.refuse(peer.read(), code, "")
            assert f"on_connect has failed: error {code}" in states.until("lost").reason
            assert peer.at_end()
        server.accept().close()  # and who ends in the middle of it
        assert answered(opened.client(), logged_in(server), b"x")


@each_client
def test_attempts_that_fail_in_it_are_counted(
    connect: Open, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    times: queue.SimpleQueue[int] = queue.SimpleQueue()

    def fail_later(_: AnyCaller) -> None:
        times.put(1)
        if times.qsize() > 1:
            raise RuntimeError("no token")

    states = States()
    options = {"on_connect": fail_later, "on_state": states.put, "reconnect": Reconnect(0.01, 0.02, attempts=2)}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        server.accept().close()
        for _ in range(2):
            peer = server.accept()
            assert peer.read_any().id == 0
            peer.send(0, 0)
        assert "on_connect has failed: RuntimeError: no token" in states.until("failed").reason
        with pytest.raises(ConnectionClosed, match="no token"):
            opened.client().call(1)
    assert caplog.text.count("Traceback") == 2, "nobody else would see a mistake in it"


@each_client
def test_it_may_not_take_longer_than_connecting_may(connect: Open, pool: ThreadPoolExecutor) -> None:
    options = {"on_connect": log_in, "connect_timeout": 0.2, "timeout": 10.0}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        peer = server.accept()
        peer.read()
        assert str(opened.failure()) == f"{server.address}: on_connect was not done within 0.2 seconds"
        assert peer.at_end()


@each_client
def test_go_away_in_the_middle_of_it_leads_to_another_connection(connect: Open, pool: ThreadPoolExecutor) -> None:
    options = {"on_connect": log_in, "reconnect": SOON}
    with scripted_server() as server, Opened(pool, connect, server, **options) as opened:
        logged_in(server).close()
        stopping = server.accept()
        stopping.read()
        stopping.go_away()
        new = logged_in(server)
        stopping.close()
        assert answered(opened.client(), new, b"x")


@each_client
def test_go_away_in_the_middle_of_the_first(connect: Open, pool: ThreadPoolExecutor) -> None:
    with scripted_server() as server, Opened(pool, connect, server, on_connect=log_in) as opened:
        peer = server.accept()
        peer.read()
        peer.go_away()
        peer.close()
        assert isinstance(opened.failure(), NotHandled)
