"""Go away, broken connections, heartbeats: what both clients do so that the program need not."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from commscaffoldd.client import ConnectionClosed, NotHandled, Reconnect, StateChange
from commscaffoldd.core.layout import PRESETS
from tests.client.both import AnyClient, Open, each_client
from tests.client.scripted_server import Peer, ScriptedServer, scripted_server

pytestmark = each_client
SOON = Reconnect(first=0.01, most=0.02)


class States(queue.SimpleQueue[StateChange]):
    """What `on_state` was told."""

    def until(self, state: str) -> StateChange:
        """Waits for this state."""
        while (change := self.get(timeout=10)).state != state:
            pass
        return change


def answered(client: AnyClient, peer: Peer, body: bytes) -> bool:
    call = client.begin(1, body)
    request = peer.read()
    peer.reply(request, request.body)
    return bool(call.result(10) == body)


# -- go away -------------------------------------------------------------------------------------------------


def test_after_go_away_new_calls_go_elsewhere_and_those_in_flight_finish(connect: Open) -> None:
    states = States()
    with scripted_server() as server, connect(server.address, on_state=states.put, reconnect=SOON) as client:
        old = server.accept()
        call = client.begin(1, b"old")
        request = old.read()
        old.go_away()
        new = server.accept()
        states.until("leaving")
        assert answered(client, new, b"new")
        states.until("connected")
        old.reply(request, b"finished")
        assert call.result(10) == b"finished"
        assert old.at_end(), "it is closed when nothing is waited for any more"
        assert answered(client, new, b"goes on")


def test_what_the_daemon_has_not_read_before_go_away_is_sent_again(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=SOON) as client:
        old = server.accept()
        calls = {}
        for body in (b"read", b"not read", b"nor this"):
            calls[body] = client.begin(1, body)
            request = old.read()
            if body == b"read":
                old.reply(request, b"once")
        old.go_away()
        old.close()
        new = server.accept()
        for _ in range(2):
            request = new.read()
            assert request.body in (b"not read", b"nor this")
            new.reply(request, b"on the new one")
        assert [call.result(10) for call in calls.values()] == [b"once", b"on the new one", b"on the new one"]


def test_what_was_sent_before_something_answered_has_been_read_and_is_not_sent_again(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=SOON) as client:
        old = server.accept()
        first = client.begin(1, b"no reply")
        old.read()
        second = client.begin(1, b"reply")
        old.reply(old.read(), b"")
        assert second.result(10) == b""
        old.go_away()
        old.close()
        with pytest.raises(ConnectionClosed) as caught:
            first.result(10)
        assert not isinstance(caught.value, NotHandled)
        assert answered(client, server.accept(), b"next")


def test_a_daemon_that_always_says_go_away_is_not_hammered(connect: Open) -> None:
    states = States()
    with (
        scripted_server() as server,
        connect(server.address, reconnect=Reconnect(0.2, 0.2, attempts=3), on_state=states.put) as client,
    ):
        for _ in range(4):
            server.accept().go_away()
        assert states.until("failed").reason == "the daemon said go away"
        with pytest.raises(ConnectionClosed, match="go away"):
            client.call(1)
        assert server.nobody_comes(0.3)


def test_an_old_connection_may_end_after_its_place_was_given_up(
    connect: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    states = States()
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    with (
        scripted_server() as server,
        connect(server.address, reconnect=Reconnect(attempts=0), on_state=states.put) as client,
    ):
        old = server.accept()
        call = client.begin(1)
        request = old.read()
        old.go_away()
        states.until("failed")
        old.reply(request, b"still")
        assert call.result(10) == b"still"
        assert old.at_end()
    assert failed == []
    assert caplog.text == ""


def test_who_may_not_reconnect_is_told_that_it_was_not_handled(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=None) as client:
        peer = server.accept()
        call = client.begin(1)
        peer.read()
        peer.go_away()
        peer.close()
        with pytest.raises(NotHandled, match="go away"):
            call.result(10)
        with pytest.raises(ConnectionClosed):
            client.call(1)


def test_a_stream_without_a_reply_yet_is_sent_again_one_with_replies_is_not(connect: Open) -> None:
    with (
        scripted_server() as server,
        connect(server.address, reconnect=SOON) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        old = server.accept()
        begun = pool.submit(client.stream, 1, b"begun")
        old.reply(old.read(), b"one")
        waiting = pool.submit(client.stream, 1, b"waiting", count=1)
        old.read()
        old.go_away()
        old.close()
        new = server.accept()
        request = new.read()
        assert request.body == b"waiting"
        new.reply(request, b"only")
        assert waiting.result(10) == [b"only"]
        with pytest.raises(ConnectionClosed):
            begun.result(10)


# -- connections that break ----------------------------------------------------------------------------------


def test_a_call_that_says_so_is_sent_again(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=SOON) as client:
        call = client.begin(1, b"idempotent", retry=True)
        first = server.accept()
        first.read()
        first.reset()
        second = server.accept()
        request = second.read()
        assert request.body == b"idempotent"
        second.reply(request, b"done")
        assert call.result(10) == b"done"


def test_states_tell_what_becomes_of_a_connection(connect: Open) -> None:
    states = States()
    with scripted_server() as server, connect(server.address, on_state=states.put, reconnect=SOON) as client:
        first = server.accept()
        assert states.get(timeout=10) == StateChange("connected", 0)
        first.close()
        lost = states.get(timeout=10)
        assert (lost.state, lost.reason) == ("lost", f"{server.address}: the daemon closed the connection")
        waiting = states.get(timeout=10)
        assert waiting.state == "waiting"
        assert 0 <= waiting.delay <= 0.01
        assert answered(client, server.accept(), b"x")
        assert states.get(timeout=10).state == "connected"
        client.close()
        assert states.get(timeout=10) == StateChange("closed", 0)


def test_a_callback_that_fails_harms_nothing(connect: Open, caplog: pytest.LogCaptureFixture) -> None:
    def fail(change: StateChange) -> None:
        raise RuntimeError(change.state)

    with scripted_server() as server, connect(server.address, on_state=fail) as client:
        assert answered(client, server.accept(), b"x")
    assert "on_state of the client" in caplog.text


def test_calls_wait_while_it_connects_anew(connect: Open) -> None:
    states = States()
    with (
        scripted_server() as server,
        connect(server.address, on_state=states.put, reconnect=Reconnect(first=0.2)) as client,
    ):
        server.accept().close()
        states.until("lost")
        call = client.begin(1, b"patient")
        second = server.accept()
        request = second.read()
        second.reply(request, b"")
        assert call.result(10) == b""


def test_giving_up_after_so_many_attempts(connect: Open) -> None:
    states = States()
    with (
        scripted_server() as server,
        connect(server.address, on_state=states.put, reconnect=Reconnect(0.01, 0.02, attempts=3)) as client,
    ):
        peer = server.accept()
        server.stop_listening()
        peer.close()
        assert "refused" in states.until("failed").reason
        with pytest.raises(ConnectionClosed, match=rf"{server.address}: cannot connect: .*refused"):
            client.call(1)


def test_nobody_there_for_as_long_as_a_call_may_take(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=SOON) as client:
        peer = server.accept()
        server.stop_listening()
        peer.close()
        with pytest.raises((TimeoutError, ConnectionClosed)):  # the second: it had not noticed yet
            client.call(1, timeout=0.2)
        with pytest.raises(TimeoutError, match="not connected in time; last: cannot connect"):
            client.call(1, timeout=0.2)


def test_closing_while_it_waits_to_connect_is_quick(connect: Open) -> None:
    states = States()
    with scripted_server() as server:
        with connect(server.address, on_state=states.put, reconnect=Reconnect(60, 60)) as client:
            server.accept().close()
            states.until("waiting")
            began = time.monotonic()
            client.close()
        assert time.monotonic() - began < 5


def test_each_connection_of_a_pool_comes_back(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, connections=3, reconnect=SOON) as client:
        peers = [server.accept() for _ in range(3)]
        peers[0].reset()
        peers[1].go_away()
        again = [server.accept(), server.accept()]
        peers[2].close()
        again.append(server.accept())
        assert client.pushes_dropped == 0
        assert server.nobody_comes(0.1)


def test_a_new_connection_takes_calls_once_somebody_is_there(connect: Open) -> None:
    """The system accepts for a daemon that is stopping: a call that went there would be lost."""
    states = States()
    with scripted_server() as server, connect(server.address, on_state=states.put, reconnect=SOON) as client:
        server.accept().close()
        states.until("lost")
        call = client.begin(1, b"safe")
        stopping = server.accept()
        assert stopping.read_any().id == 0
        stopping.close()
        new = server.accept()
        request = new.read()
        assert request.body == b"safe"
        new.reply(request, b"")
        assert call.result(10) == b""


# -- heartbeats ----------------------------------------------------------------------------------------------


def test_heartbeats_are_sent_in_silence_and_an_answer_is_life(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, heartbeat=0.1) as client:
        peer = server.accept()
        for _ in range(5):
            beat = peer.read_any()
            assert (beat.id, beat.sequence, beat.body) == (0, 0, b"")
            peer.send(0, 0)
        assert answered(client, peer, b"alive")


def test_a_daemon_that_does_not_answer_heartbeats_is_dead(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, heartbeat=0.1, reconnect=SOON) as client:
        first = server.accept()
        call = client.begin(1, timeout=10)
        assert first.read().id == 1
        with pytest.raises(ConnectionClosed, match=f"{server.address}: no sign of life for"):
            call.result(10)
        assert answered(client, server.accept(), b"x")


def test_a_layout_without_an_id_has_no_heartbeats(connect: Open) -> None:
    with (
        scripted_server(PRESETS["erlang"]) as server,
        connect(server.address, "erlang", heartbeat=0.05) as client,
    ):
        peer = server.accept()
        peer.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.read()
        assert answered(client, peer, b"x")


# -- where -----------------------------------------------------------------------------------------------------


def test_it_speaks_over_ipv6(connect: Open) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        address = f"[::1]:{listener.getsockname()[1]}"
        with connect(address) as client:
            peer = Peer(listener.accept()[0], PRESETS["standard"])
            assert answered(client, peer, b"x")
            peer.close()


def test_connecting_is_bounded(connect: Open) -> None:
    with socket.socket() as full, contextlib.ExitStack() as others:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # nobody accepts, and the backlog is full: connecting hangs
            waiting = others.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        address = f"127.0.0.1:{full.getsockname()[1]}"
        with (
            pytest.raises(TimeoutError, match=rf"{address}: not connected within 0\.1 seconds"),
            connect(address, connect_timeout=0.1),
        ):
            pass


def test_a_server_that_is_gone_is_not_asked_twice(connect: Open) -> None:
    def once(server: ScriptedServer) -> None:
        server.accept().close()

    with scripted_server() as server, connect(server.address, reconnect=None) as client:
        once(server)
        with pytest.raises(ConnectionClosed):
            client.call(1)
        assert server.nobody_comes(0.1)
