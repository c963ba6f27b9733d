"""What only the blocking client has: forks, threads, and locks that must not wait for themselves."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commscaffoldd.client import Client, ClientError, ConnectionClosed, Frame, Push
from commscaffoldd.client.conversation import Conversation
from commscaffoldd.core.layout import PRESETS
from tests.client.frame_server import frame_server
from tests.client.scripted_server import scripted_server

STANDARD = PRESETS["standard"]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_client_made_before_a_fork_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, Client(server.address) as client:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            for use in (client.call, client.send):
                with pytest.raises(ClientError, match="made before a fork; make one in each process"):
                    use(1, b"x")
            with pytest.raises(ClientError, match="made before a fork"):
                client.next_push()  # it would wait for ever
            client.close()  # the parent's connection is left alone
            assert client._keeper._places
        assert client.call(1, b"x") == b"x"


def test_a_callback_may_close_the_client() -> None:
    closed = threading.Event()

    def close(push: Push) -> None:
        assert push.body == b"bye"
        client.close()
        closed.set()

    with scripted_server() as server, Client(server.address, on_push=close) as client:
        peer = server.accept()
        peer.send(5, 0, b"bye")
        assert closed.wait(10)
        assert peer.at_end()


def test_a_callback_that_would_wait_for_its_own_thread_is_told() -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask(push: Push) -> None:
        client.send(2, push.body)  # that is allowed
        try:
            client.call(1, timeout=10)
        except ClientError as error:
            told.put(str(error))

    with scripted_server() as server, Client(server.address, on_push=ask) as client:
        peer = server.accept()
        peer.send(5, 0, b"news")
        assert "on_push and on_state cannot wait for a reply" in told.get(timeout=5)
        assert peer.read().body == b"news"


def test_a_callback_that_exits_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server() as server, Client(server.address, on_push=lambda _: sys.exit(1)) as client:
        peer = server.accept()
        peer.send(5, 0)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(client.call, 1)
            peer.reply(peer.read(), b"still here")
            assert call.result(10) == b"still here"
    assert "on_push of the client" in caplog.text


def test_a_thread_that_fails_lets_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    with frame_server(lambda f: STANDARD.encode(*f)) as server, Client(server.address) as client:
        monkeypatch.setattr(Conversation, "receive", broken)
        with pytest.raises(ConnectionClosed, match="the client's thread has ended"):
            client.call(1)
        with pytest.raises(ConnectionClosed, match=r"the client's thread has failed: ZeroDivisionError\(\)"):
            client.call(1)
    assert len(failed) == 1


def test_a_system_that_has_no_more_threads_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    begun: list[threading.Thread] = []

    def start_one(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    with scripted_server() as server:
        with monkeypatch.context() as here:
            here.setattr(threading.Thread, "start", start_one)
            with pytest.raises(RuntimeError, match="new thread"):
                Client(server.address, connections=2)
        assert not begun[0].is_alive()
        assert all([server.accept().at_end(), server.accept().at_end()])


def test_a_stream_that_could_not_be_asked_for_is_no_empty_one() -> None:
    """It ends once nothing has come for a while; not when its request did not even leave."""
    with scripted_server() as server, Client(server.address, timeout=0.3) as client, ThreadPoolExecutor(1) as pool:
        server.accept()
        filling = pool.submit(client.send, 1, bytes(32 << 20), timeout=2)
        while not client._keeper.link(0)._sending.locked():
            time.sleep(0.001)
        with pytest.raises(TimeoutError, match="other messages were not taken in time"):
            list(client.stream(1, quiet=0.1))
        client.close()
        with pytest.raises(ConnectionClosed):
            filling.result(10)


def test_streams_may_be_collected_as_garbage_at_any_time() -> None:
    """By the thread that receives, too, in the middle of what it does: there it must not wait for its own locks."""
    pushes = STANDARD.encode(9, 0, b"") * 3000  # more objects than the collector lets pass

    def answer(frame: Frame) -> bytes:
        return STANDARD.encode(*frame) + pushes

    def leave_streams(client: Client) -> None:
        for _ in range(30):
            stream = client.stream(1, b"x")
            next(stream)
            cycle: list[object] = [stream]
            cycle.append(cycle)
            del stream, cycle
            assert client.call(1, b"y") == b"y"

    with frame_server(answer) as server, Client(server.address, push_queue=10, timeout=20) as client:
        leaving = threading.Thread(target=leave_streams, args=[client], daemon=True)
        leaving.start()
        leaving.join(20)
        assert not leaving.is_alive()


def test_connecting_takes_no_longer_when_a_name_has_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, contextlib.ExitStack() as others:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # nobody accepts, and the backlog is full: connecting hangs
            waiting = others.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        where = full.getsockname()
        many = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)] * 10
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match=r"not connected within 0\.3 seconds"):
            Client(f"many.example:{where[1]}", connect_timeout=0.3)
        assert time.monotonic() - begun < 1.5


def test_a_thousand_clients_come_and_go() -> None:
    threads = threading.active_count()
    with frame_server(lambda f: STANDARD.encode(*f)) as server:
        for _ in range(3):
            Client(server.address).close()
        descriptors = open_descriptors()
        for _ in range(1000):
            with Client(server.address) as client:
                assert client.call(1, b"x") == b"x"
        deadline = time.monotonic() + 10  # for the server to see their ends
        while open_descriptors() > descriptors + 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert open_descriptors() <= descriptors + 10
        assert threading.active_count() <= threads + 20
