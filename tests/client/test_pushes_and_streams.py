"""What comes without being asked for, and several replies to one request."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from commscaffoldd.client import ErrorReply, Frame, Push, StreamOverrun
from commscaffoldd.client.blocking_waiter import STREAM_QUEUE
from commscaffoldd.core.layout import PRESETS, Layout
from tests.client.both import AnyClient, Open, each_client
from tests.client.frame_server import frame_server
from tests.client.scripted_server import Peer, scripted_server

pytestmark = each_client
STANDARD = PRESETS["standard"]


def pass_by(client: AnyClient, peer: Peer) -> None:
    """A call there and back: what was sent before it has been taken."""
    call = client.begin(1)
    peer.reply(peer.read(), b"")
    assert call.result(10) == b""


@pytest.mark.parametrize("layout", PRESETS.values(), ids=lambda layout: layout.name)
def test_a_push_is_taken_on_every_layout(connect: Open, layout: Layout) -> None:
    with scripted_server(layout) as server, connect(server.address, layout, default_id=77) as client:
        peer = server.accept()
        peer.send(5, 0, b"news")
        assert client.next_push() == Push(5 if layout.has_id else 77, b"news")


def test_pushes_between_replies_are_no_replies(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        call = client.begin(5)
        request = peer.read()
        peer.send(5, 0, b"push")
        peer.reply(request, b"reply")
        assert call.result(10) == b"reply"
        assert client.next_push() == Push(5, b"push")


def test_pushes_are_iterated_until_the_client_is_closed(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client, ThreadPoolExecutor(1) as pool:
        peer = server.accept()
        taken = pool.submit(client.pushes)
        for number in range(10):
            peer.send(5, 0, b"%d" % number)
        pass_by(client, peer)
        client.close()
        assert taken.result(10) == [Push(5, b"%d" % number) for number in range(10)]
        assert client.next_push() is None


def test_of_too_many_pushes_the_oldest_are_dropped_and_counted(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, push_queue=3) as client:
        peer = server.accept()
        for number in range(5):
            peer.send(5, 0, b"%d" % number)
        pass_by(client, peer)
        assert [client.next_push() for _ in range(3)] == [Push(5, b"2"), Push(5, b"3"), Push(5, b"4")]
        assert client.pushes_dropped == 2


def test_a_callback_takes_them_and_may_fail(connect: Open, caplog: pytest.LogCaptureFixture) -> None:
    taken: queue.SimpleQueue[Push] = queue.SimpleQueue()

    def take(push: Push) -> None:
        taken.put(push)
        raise RuntimeError

    with scripted_server() as server, connect(server.address, on_push=take) as client:
        peer = server.accept()
        peer.send(5, 0, b"one")
        peer.send(6, 0, b"two")
        assert [taken.get(timeout=10), taken.get(timeout=10)] == [Push(5, b"one"), Push(6, b"two")]
        with pytest.raises(ValueError, match="on_push"):
            client.next_push()
        pass_by(client, peer)
    assert caplog.text.count("on_push of the client") == 2


def test_no_push_in_time(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        with pytest.raises(TimeoutError, match=r"no push within 0\.01 seconds"):
            client.next_push(0.01)
        server.accept().send(5, 0, b"late")
        assert client.next_push() == Push(5, b"late")


# -- streams -------------------------------------------------------------------------------------------------


def test_a_stream_ends_by_count_by_a_reply_or_in_quiet(connect: Open) -> None:
    def answer(frame: Frame) -> bytes:
        return b"".join(STANDARD.encode(5, frame.sequence, part) for part in (b"a" + frame.body, b"b", b"end"))

    with frame_server(answer) as server, connect(server.address) as client:
        assert client.stream(5, b"!", count=2) == [b"a!", b"b"]
        assert client.stream(5, until=lambda reply: reply == b"end") == [b"a", b"b", b"end"]
        assert client.stream(5, quiet=0.2) == [b"a", b"b", b"end"]
        with pytest.raises(TimeoutError, match=r"no reply to message ID 5 within 0\.1 seconds"):
            client.stream(5, count=4, timeout=0.1)
        assert client.call(5) == b"a", "later replies of an ended stream are nobody's"


def test_an_error_reply_ends_a_stream(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client, ThreadPoolExecutor(1) as pool:
        peer = server.accept()
        replies = pool.submit(client.stream, 5)
        request = peer.read()
        peer.reply(request, b"one")
        peer.refuse(request, 3, "broke")
        with pytest.raises(ErrorReply, match="broke"):
            replies.result(10)


def test_a_stream_that_is_taken_too_slowly_fails(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client, ThreadPoolExecutor(1) as pool:
        peer = server.accept()

        def slow(reply: bytes) -> bool:
            if reply == b"0":
                everything_came.get(timeout=10)
            return False

        everything_came: queue.SimpleQueue[bool] = queue.SimpleQueue()
        if "asynchronous" in connect.__name__:  # type: ignore[attr-defined]
            replies = b"".join(STANDARD.encode(5, 1, b"%d" % number) for number in range(STREAM_QUEUE + 10))
            stream = pool.submit(client.stream, 5)
            peer.read()
            peer.socket.sendall(replies)  # in one piece, before the task runs
            everything_came.put(item=True)
        else:
            stream = pool.submit(client.stream, 5, until=slow)
            request = peer.read()
            for number in range(STREAM_QUEUE + 10):
                peer.reply(request, b"%d" % number)
            pass_by(client, peer)
            everything_came.put(item=True)
        with pytest.raises(StreamOverrun, match=f"{STREAM_QUEUE} replies"):
            stream.result(10)


def test_a_stream_needs_a_sequence(connect: Open) -> None:
    with scripted_server(PRESETS["zinx"]) as server, connect(server.address, "zinx") as client:
        with pytest.raises(ValueError, match="layout zinx has no sequence"):
            client.stream(5)
        server.accept()
