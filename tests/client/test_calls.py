"""Calls of both clients: whose reply is whose, what fails, and that nothing waits for ever."""

from __future__ import annotations

import math
import threading
import time

import pytest

from commscaffoldd.client import ClientError, ConnectionClosed, ErrorReply, FrameError
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.client.both import Open, each_client
from tests.client.frame_server import frame_server
from tests.client.scripted_server import scripted_server

STANDARD = PRESETS["standard"]
MINE = {"fields": ["magic:u16=0xCAFE", "length:u24", "id:u16", "sequence:u8", "crc32:u32"], "byte_order": "little"}
CUSTOM = Layout("custom", LayoutSpec(fields=tuple(MINE["fields"]), byte_order="little"))

pytestmark = each_client


@pytest.mark.parametrize("layout", [*PRESETS.values(), CUSTOM], ids=lambda layout: layout.name)
def test_a_call_gives_the_replys_body_on_every_layout(connect: Open, layout: Layout) -> None:
    with (
        frame_server(lambda f: layout.encode(f.id, f.sequence, f.body.upper()), layout) as server,
        connect(server.address, layout) as client,
    ):
        assert client.call(5, b"hello") == b"HELLO"
        assert client.call(5, b"again") == b"AGAIN"


def test_a_layout_is_given_by_name_as_configured_or_by_its_fields(connect: Open) -> None:
    with frame_server(lambda f: CUSTOM.encode(*f), CUSTOM) as server, connect(server.address, MINE) as client:
        assert client.call(5, b"hello") == b"hello"
    erlang = PRESETS["erlang"]
    for given in ("erlang", ["length:u32"], LayoutSpec(fields=("length:u32",))):
        with frame_server(lambda f: erlang.encode(*f), erlang) as server, connect(server.address, given) as client:
            assert client.call(5, b"hello") == b"hello"


def test_replies_in_another_order_reach_their_callers(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        calls = [client.begin(1, b"%d" % number) for number in range(20)]
        requests = [peer.read() for _ in calls]
        for request in reversed(requests):
            peer.reply(request, b"to " + request.body)
        assert [call.result(10) for call in calls] == [b"to %d" % number for number in range(20)]


@pytest.mark.parametrize("name", ["compact", "erlang"])
def test_without_a_sequence_replies_come_in_order_of_the_same_id(connect: Open, name: str) -> None:
    with scripted_server(PRESETS[name]) as server, connect(server.address, name) as client:
        peer = server.accept()
        calls, requests = [], []
        for number in range(10):  # one after another, so that the order is known
            calls.append(client.begin(1 + number % 2, b"%d" % number))
            requests.append(peer.read())
        if PRESETS[name].has_id:  # those of another ID may overtake
            requests = requests[1::2] + requests[::2]
        for request in requests:
            peer.reply(request, b"to " + request.body)
        assert [call.result(10) for call in calls] == [b"to %d" % number for number in range(10)]


def test_half_frames_and_glued_ones(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        calls = [client.begin(1) for _ in range(3)]
        data = b"".join(STANDARD.encode(r.id, r.sequence, b"reply") for r in [peer.read() for _ in calls])
        for cut in (0, 7, 30, 31, len(data)):
            peer.socket.sendall(data[:cut])
            data = data[cut:]
        assert [call.result(10) for call in calls] == [b"reply"] * 3


def test_an_error_reply_raises_with_code_text_and_id(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        call = client.begin(8, b"")
        peer.refuse(peer.read(), 7, "not you")
        with pytest.raises(ErrorReply, match=r"^error 7 \(refused\): not you$") as caught:
            call.result(10)
        assert (caught.value.code, caught.value.text, caught.value.id) == (7, "not you", 8)


def test_without_a_sequence_an_error_reply_names_its_request(connect: Open) -> None:
    with scripted_server(PRESETS["zinx"]) as server, connect(server.address, "zinx") as client:
        peer = server.accept()
        calls = []
        for message_id in (8, 9):
            calls.append(client.begin(message_id))
            request = peer.read()
        peer.refuse(request, 1000, "own")
        with pytest.raises(ErrorReply, match="own"):
            calls[1].result(10)
        peer.send(8, 0, b"fine")
        assert calls[0].result(10) == b"fine"


def test_an_error_reply_that_cannot_be_one_fails_its_call_alone(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        call = client.begin(8)
        peer.send(0xFFFFFFFF, peer.read().sequence, b"abc")
        with pytest.raises(FrameError, match="an error reply of 3 bytes"):
            call.result(10)
        call = client.begin(8)
        peer.reply(peer.read(), b"goes on")
        assert call.result(10) == b"goes on"


def test_a_late_reply_is_nobodys(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        with pytest.raises(TimeoutError, match=r"no reply to message ID 5 within 0\.05 seconds"):
            client.call(5, timeout=0.05)
        late = peer.read()
        call = client.begin(5)
        request = peer.read()
        peer.reply(late, b"late")
        peer.reply(request, b"mine")
        assert call.result(10) == b"mine"


def test_without_a_sequence_a_call_that_is_given_up_closes_the_connection(connect: Open) -> None:
    with scripted_server(PRESETS["zinx"]) as server, connect(server.address, "zinx") as client:
        first = server.accept()
        with pytest.raises(TimeoutError):
            client.call(5, timeout=0.05)
        call = client.begin(5)
        second = server.accept()
        assert first.read().id == 5
        assert first.at_end()
        second.reply(second.read(), b"right")
        assert call.result(10) == b"right"


def test_silence_is_a_timeout_and_says_where(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, timeout=0.1) as client:
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=server.address):
            client.call(1)
        assert time.monotonic() - began < 5


def test_garbage_is_a_frame_error_for_all_who_wait_and_says_where(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, reconnect=None) as client:
        peer = server.accept()
        calls = [client.begin(1) for _ in range(3)]
        first, _, _ = (peer.read() for _ in calls)
        peer.socket.sendall(STANDARD.encode(first.id, first.sequence, b"good") + b"\xff" * 16)
        errors = [error for call in calls if (error := call.exception(10)) is not None]
        assert len(errors) == 2
        for error in errors:
            assert isinstance(error, FrameError)
            assert str(error).startswith(f"{server.address}: not a frame of layout standard: length")
        with pytest.raises(ConnectionClosed):
            client.call(1)


@pytest.mark.parametrize("how", ["close", "reset", "half a frame"])
def test_a_connection_that_breaks_fails_its_calls_and_none_is_sent_again(connect: Open, how: str) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        call = client.begin(1, b"pay")
        peer.read()
        if how == "half a frame":
            peer.socket.sendall(b"\0\0")
        if how == "reset":
            peer.reset()
        else:
            peer.close()
        with pytest.raises(ConnectionClosed, match=server.address) as caught:
            call.result(10)
        assert ("in the middle of a frame" in str(caught.value)) == (how == "half a frame")
        again = server.accept()
        call = client.begin(1, b"next")
        request = again.read()
        assert request.body == b"next"
        again.reply(request, b"")
        assert call.result(10) == b""


def test_what_does_not_fit_the_layout_is_not_sent(connect: Open) -> None:
    compact = PRESETS["compact"]
    with frame_server(lambda f: compact.encode(*f), compact) as server, connect(server.address, compact) as client:
        with pytest.raises(ValueError, match="0 to 65535"):
            client.call(65536)
        with pytest.raises(ValueError, match="heartbeat"):
            client.call(0)
        assert client.call(1, b"still usable") == b"still usable"
    assert len(server.received) == 1


def test_sequences_begin_anew_at_one(connect: Open) -> None:
    with scripted_server(CUSTOM) as server, connect(server.address, CUSTOM, heartbeat=None) as client:
        peer = server.accept()
        for _ in range(300):
            client.send(9)
        sequences = {peer.read().sequence for _ in range(300)}
        assert sequences == set(range(1, 256))


def test_more_calls_than_may_be_in_flight_wait(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, max_in_flight=2) as client:
        peer = server.accept()
        calls = [client.begin(1, b"%d" % number) for number in range(3)]
        first, second = peer.read(), peer.read()
        with pytest.raises(TimeoutError, match="2 calls were in flight"):
            client.call(1, timeout=0.05)
        peer.reply(first, b"a")
        third = peer.read()
        peer.reply(second, b"b")
        peer.reply(third, b"c")
        assert sorted(call.result(10) for call in calls) == [b"a", b"b", b"c"]


def test_a_narrow_sequence_lets_calls_wait_too(connect: Open) -> None:
    with (
        frame_server(lambda f: CUSTOM.encode(*f), CUSTOM) as server,
        connect(server.address, CUSTOM, heartbeat=None, timeout=20) as client,
    ):
        calls = [client.begin(9, b"%d" % number) for number in range(600)]
        assert [call.result(20) for call in calls] == [b"%d" % number for number in range(600)]


def test_a_call_may_take_for_ever(connect: Open) -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, connect(server.address) as client:
        assert client.call(1, b"x", timeout=math.inf) == b"x"


def test_a_daemon_that_does_not_read_is_a_timeout(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, timeout=0.3, reconnect=None) as client:
        server.accept()
        with pytest.raises((TimeoutError, ConnectionClosed)):
            client.call(1, bytes(32 << 20))


def test_one_who_does_not_read_is_read_all_the_same(connect: Open) -> None:
    """They are larger than all buffers between: if the client did not read while it sends, both would wait."""
    body = bytes(4 << 20)
    with frame_server(lambda f: STANDARD.encode(*f)) as server, connect(server.address, timeout=30) as client:
        calls = [client.begin(1, body) for _ in range(6)]
        assert all(call.result(30) == body for call in calls)


def test_closing_wakes_who_waits_and_then_nothing_is_sent(connect: Open) -> None:
    with scripted_server() as server, connect(server.address) as client:
        peer = server.accept()
        calls = [client.begin(1) for _ in range(5)]
        for _ in calls:
            peer.read()
        client.close()
        for call in calls:
            with pytest.raises(ConnectionClosed, match="this client is closed"):
                call.result(10)
        with pytest.raises(ConnectionClosed, match="this client is closed"):
            client.call(1)
        client.close()
        assert peer.at_end()


def test_many_threads_share_a_pool_and_each_gets_its_own(connect: Open) -> None:
    with (
        frame_server(lambda f: STANDARD.encode(*f)) as server,
        connect(server.address, connections=3) as client,
    ):
        wrong: list[bytes] = []

        def talk(name: int) -> None:
            for number in range(100):
                body = b"%d of %d" % (number, name)
                if (found := client.call(1, body)) != body:
                    wrong.append(found)

        threads = [threading.Thread(target=talk, args=[name]) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
    assert len(server.received) == 800


def test_a_message_goes_where_the_fewest_calls_are_in_flight(connect: Open) -> None:
    with scripted_server() as server, connect(server.address, connections=2) as client:
        peers = [server.accept(), server.accept()]
        for _ in range(2):
            calls = []
            requests = []
            for peer in peers:  # the first one is under way when the second one is sent: it goes to the other
                calls.append(client.begin(1))
                requests.append(peer.read())
            for peer, request in zip(peers, requests, strict=True):
                peer.reply(request, b"")
            assert [call.result(10) for call in calls] == [b"", b""]


def test_nobody_there_is_an_oserror_and_a_wrong_option_a_valueerror(connect: Open) -> None:
    with scripted_server() as server:
        address = server.address
    with pytest.raises(ConnectionRefusedError), connect(address):
        pass
    with pytest.raises(ValueError, match="not an address"), connect("nowhere"):
        pass
    with pytest.raises(ValueError, match="allowed: standard, compact"), connect(address, "standart"):
        pass
    with pytest.raises(ValueError, match="is not a field"), connect(address, ["length:u31"]):
        pass
    with pytest.raises(ValueError, match="connections = 0; allowed: 1 to 1000"), connect(address, connections=0):
        pass
    assert issubclass(ErrorReply, ClientError)
