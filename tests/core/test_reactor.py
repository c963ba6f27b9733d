"""The reactor with pool, sender and engine: what becomes of messages."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from commscaffoldd.core.endpoint import HANDLER_FAILED, UNKNOWN_ID, decode_error
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Mode
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings, FloodSettings, FrameSettings
from tests.core.peers import STANDARD
from tests.core.reactor_rig import reactor_rig, route
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

ERROR = 0xFFFFFFFF
MODES: tuple[Mode, ...] = ("pool", "inline", "concurrent")


def echo(request: Request) -> bytes:
    return request.body


def silent(_: Request) -> None:
    return None


# -- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_reply_has_its_requests_id_and_sequence(mode: Mode) -> None:
    with reactor_rig(route(5, echo, mode)) as rig:
        peer = rig.connect()
        peer.send(5, b"hello", sequence=77)
        rig.until(peer.bodies)
        assert peer.frames == [(5, 77, b"hello")]


def test_a_heartbeat_is_answered_with_the_same_frame() -> None:
    with reactor_rig() as rig:
        peer = rig.connect()
        peer.send(0, sequence=9)
        rig.until(peer.bodies)
        assert peer.frames == [(0, 9, b"")]
        assert rig.total("heartbeats") == 1


def test_an_unknown_id_gets_error_1_and_the_connection_lives_on() -> None:
    with reactor_rig(route(5, echo)) as rig:
        peer = rig.connect()
        peer.send(6, b"?", sequence=1)
        peer.send(0, b"a heartbeat has no body", sequence=2)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert [(i, s, decode_error(b)) for i, s, b in peer.frames] == [
            (ERROR, 1, (6, UNKNOWN_ID, "no handler for message ID 6")),
            (ERROR, 2, (0, UNKNOWN_ID, "no handler for message ID 0")),
        ]
        peer.send(5, b"still here")
        rig.until(lambda: peer.bodies()[-1] == b"still here")
        assert rig.total("unknown_ids") == 2


def test_without_error_replies_an_unknown_id_is_dropped() -> None:
    with reactor_rig(route(5, echo), layout=PRESETS["compact"]) as rig:
        peer = rig.connect()
        peer.send(6, b"?")
        peer.send(5, b"known")
        rig.until(peer.bodies)
        assert peer.frames == [(5, 0, b"known")]


def test_an_unknown_id_may_close() -> None:
    with reactor_rig(route(5, echo), frame=FrameSettings(on_unknown_id="close")) as rig:
        peer = rig.connect()
        peer.send(6)
        rig.until(lambda: peer.gone)
        assert rig.total("unknown_ids") == 1


@pytest.mark.parametrize("message_id", [ERROR, ERROR - 1])
def test_an_error_is_never_answered_with_an_error(message_id: int) -> None:
    """Two daemons, or a client that sends back what it does not know, would talk for ever."""
    with reactor_rig(route(5, echo)) as rig:
        peer = rig.connect()
        peer.send(message_id, b"whatever")
        peer.send(5, b"end")
        rig.until(peer.bodies)
        assert peer.bodies() == [b"end"]


def test_small_bodies_get_error_replies_cut_off_and_nobody_dies_of_it() -> None:
    layout = Layout.from_spec("tiny", LayoutSpec(("length:u8", "id:u8", "sequence:u8"), length_adjustment=-240))
    with reactor_rig(route(5, echo), layout=layout) as rig:
        peer = rig.connect()
        peer.send(6, b"?", sequence=1)
        rig.until(peer.bodies)
        assert peer.frames == [(255, 1, bytes.fromhex("000000060001") + b"no handle")]
        peer.send(5, b"alive")
        rig.until(lambda: peer.bodies()[1:] == [b"alive"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("result", ["text", SystemExit(3), ValueError("bad"), bytes(70_000)])
def test_a_failing_handler_gets_error_3_and_connection_and_threads_live_on(mode: Mode, result: Any) -> None:
    def fail(_: Request) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    business = BusinessSettings(threads=1)
    layout = Layout.from_spec("small", LayoutSpec(("length:u16", "id:u16", "sequence:u16")))
    with reactor_rig(route(5, echo, mode), route(6, fail, mode), layout=layout, business=business) as rig:
        peer = rig.connect()
        for sequence in range(3):
            peer.send(6, sequence=sequence)
        rig.until(lambda: len(peer.bodies()) == 3)
        assert [(message_id, sequence) for message_id, sequence, _ in peer.frames] == [(65535, n) for n in range(3)]
        assert all(decode_error(body)[:2] == (6, HANDLER_FAILED) for body in peer.bodies())
        peer.send(5, b"alive")
        rig.until(lambda: len(peer.bodies()) == 4)
        assert rig.total("handler_errors") == 3


def test_a_push_from_anywhere_arrives() -> None:
    connections: list[Any] = []

    def remember(request: Request) -> None:
        connections.append(request.connection)

    with reactor_rig(route(5, remember)) as rig:
        peer = rig.connect()
        peer.send(5)
        rig.until(lambda: connections)
        assert connections[0].send(9, b"news")
        rig.until(peer.bodies)
        assert peer.frames == [(9, 0, b"news")]


def test_a_plugin_that_closes_has_its_last_words_delivered_and_nothing_after() -> None:
    handled: list[bytes] = []

    def leave(request: Request) -> bytes:
        handled.append(request.body)
        request.connection.send(9, b"goodbye")
        request.connection.close("enough")
        return b"done"

    reasons_given: list[str] = []
    with reactor_rig(route(5, leave), closed=lambda call: reasons_given.append(call.reason)) as rig:
        peer = rig.connect()
        peer.sock.sendall(peer.encode(5, b"1") + peer.encode(5, b"2"))
        rig.until(lambda: peer.gone)
        assert peer.bodies() == [b"goodbye", b"done"]
        peer.close()
        rig.until(lambda: reasons_given)
        assert (handled, reasons_given) == ([b"1"], ["enough"])


# -- clients that go ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_half_close_while_handlers_run_and_all_replies_are_delivered(mode: Mode) -> None:
    gate = threading.Event()

    def wait(request: Request) -> bytes:
        assert gate.wait(20) or mode == "inline"
        return request.body

    if mode == "inline":
        gate.set()
    with reactor_rig(route(5, wait, mode)) as rig:
        peer = rig.connect()
        for number in range(4):
            peer.send(5, b"%d" % number)
        peer.half_close()
        rig.until(lambda: rig.total("messages_in") == 4)
        for _ in range(5):
            rig.turn()
        gate.set()
        rig.until(lambda: peer.gone)
        assert sorted(peer.bodies()) == [b"0", b"1", b"2", b"3"]
        assert not peer.reset
        rig.until(lambda: rig.quiet)


@pytest.mark.parametrize("mode", ["pool", "concurrent"])
def test_a_reset_while_a_handler_runs_and_its_reply_goes_nowhere(mode: Mode) -> None:
    gate, running = threading.Event(), threading.Event()

    def wait(request: Request) -> bytes:
        running.set()
        assert gate.wait(20)
        return request.body

    with reactor_rig(route(5, wait, mode)) as rig:
        peer = rig.connect()
        peer.send(5, b"late")
        rig.until(running.is_set)
        peer.abort()
        rig.until(lambda: not rig.engine.open_slots())
        gate.set()
        rig.until(lambda: rig.total("late_replies") == 1)
        rig.until(lambda: rig.quiet)


def test_a_plugin_that_closes_whoever_has_gone_already_handles_nothing_more_of_it() -> None:
    gate, running = threading.Event(), threading.Event()
    handled: list[bytes] = []

    def leave(request: Request) -> None:
        running.set()
        assert gate.wait(20)
        handled.append(request.body)
        request.connection.close()

    with reactor_rig(route(5, leave)) as rig:
        peer = rig.connect()
        peer.sock.sendall(peer.encode(5, b"1") + peer.encode(5, b"2"))
        rig.until(running.is_set)
        peer.abort()
        rig.until(lambda: not rig.engine.open_slots())
        gate.set()
        rig.until(lambda: rig.quiet)
        assert handled == [b"1"]


# -- hooks -------------------------------------------------------------------------------------------------


def test_hooks_come_before_the_first_message_and_after_the_last() -> None:
    story: dict[str, list[str]] = {}

    def note(call: LifecycleCall | Request, what: str) -> None:
        story.setdefault(call.connection.id, []).append(what)

    def handle(request: Request) -> bytes:
        note(request, "message")
        return b""

    with reactor_rig(
        route(5, handle),
        route(6, handle, "inline"),
        opened=lambda call: note(call, "opened"),
        closed=lambda call: note(call, f"closed: {call.reason}"),
    ) as rig:
        peers = [rig.connect() for _ in range(20)]
        for peer in peers:
            peer.sock.sendall((peer.encode(5) + peer.encode(6)) * 10)
            peer.close()
        rig.until(lambda: len(story) == 20 and all(list_[-1].startswith("closed") for list_ in story.values()))
    assert all(told[0] == "opened" and told[1:-1] == ["message"] * 20 for told in story.values())


# -- limits ------------------------------------------------------------------------------------------------


def test_a_flood_is_closed_and_counted() -> None:
    with reactor_rig(route(5, echo), flood=FloodSettings(rate=1, burst=10)) as rig:
        good, bad = rig.connect(), rig.connect()
        good.sock.sendall(good.encode(5, b"x") * 10)
        bad.sock.sendall(bad.encode(5, b"x") * 11)
        rig.until(lambda: bad.gone and len(good.bodies()) == 10)
        assert rig.total("floods") == 1
        assert bad.bodies() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_paused_connection_whose_handlers_say_nothing_goes_on(mode: Mode) -> None:
    """No reply is sent whose sending could resume it."""
    handled: list[int] = []

    def count(request: Request) -> None:
        handled.append(request.id)

    with reactor_rig(route(5, count, mode), business=BusinessSettings(per_connection=10)) as rig:
        peer = rig.connect()
        data = peer.encode(5, b"x" * 48) * 10_000
        sent = 0

        def push() -> None:
            nonlocal sent
            sent += peer.send_some(data[sent : sent + 100_000])
            rig.turn()

        wait_until(lambda: len(handled) == 10_000, push)
        assert not rig.backlog.depth


def test_a_full_queue_stops_reading_and_nobody_is_forgotten() -> None:
    gate = threading.Event()

    def wait(_: Request) -> None:
        assert gate.wait(20)

    business = BusinessSettings(threads=2, queue=20)
    with reactor_rig(route(5, wait), route(6, echo), business=business) as rig:
        peers = [rig.connect() for _ in range(12)]
        for peer in peers:
            peer.sock.sendall(peer.encode(5) * 5)
        rig.until(lambda: rig.backlog.full and not rig.backlog.room > 0)
        for peer in peers:
            peer.send(6, b"later")
        for _ in range(10):
            rig.turn()
        assert rig.backlog.depth <= 20 + 6  # at most one read's worth more
        assert rig.total("queue_full") == 1
        polls = rig.total("polls")
        for _ in range(10):
            rig.turn()
        assert rig.total("polls") == polls  # nobody who is paused is reported again
        gate.set()
        rig.until(lambda: all(peer.bodies() == [b"later"] for peer in peers))
        assert rig.engine.gauges()["paused"] == 0


def test_a_queue_that_is_full_again_and_again_forgets_nobody() -> None:
    """The queue runs full and empty in the midst of batches; connections with nothing waiting must not be lost."""
    business = BusinessSettings(threads=2, queue=8, per_connection=4)
    with reactor_rig(route(5, silent), route(6, echo), business=business) as rig:
        peers = [rig.connect() for _ in range(30)]
        for number in range(30):
            for peer in peers:
                peer.sock.sendall(peer.encode(5) * 3 + peer.encode(6, b"%d" % number))
            if number % 3 == 0:
                rig.turn()
        rig.until(lambda: all(len(peer.bodies()) == 30 for peer in peers))
        assert all(peer.bodies() == [b"%d" % number for number in range(30)] for peer in peers)


@pytest.mark.parametrize(("mode", "size"), [("pool", 20_000), ("inline", 20_000), ("concurrent", 5_000)])
def test_a_client_that_does_not_read_keeps_the_memory_flat_and_gets_everything_later(mode: Mode, size: int) -> None:
    number = 400
    connections = ConnectionSettings(initial=1, send_buffer=100_000, slow_reader_timeout=600)
    business = BusinessSettings(threads=2, queue=50, per_connection=10)
    with reactor_rig(
        route(5, lambda request: request.body * size, mode), connections=connections, business=business
    ) as rig:
        peer = rig.connect()
        wire = b"".join(peer.encode(5, b"%d" % (n % 10), sequence=n) for n in range(number))
        sent = highest = 0

        def push() -> None:
            nonlocal sent, highest
            sent += peer.send_some(wire[sent : sent + 200])
            rig.turn()
            highest = max([highest, *(slot.unsent for slot in rig.engine.open_slots())])

        wait_until(lambda: sent == len(wire) or any(slot.paused for slot in rig.engine.open_slots()), push)
        while sent < len(wire):
            push()
            peer.pump(at_most=65536)
        rig.until(lambda: len(peer.bodies()) == number)
        assert highest < 2 * 100_000 + size + 100
        assert sorted(sequence for _, sequence, _ in peer.frames) == list(range(number))
        if mode != "concurrent":
            assert [sequence for _, sequence, _ in peer.frames] == list(range(number))


def test_bytes_of_the_standard_layout_are_what_clients_expect() -> None:
    with reactor_rig(route(5, echo)) as rig:
        peer = rig.connect()
        peer.sock.sendall(bytes.fromhex("00000005 00000005 00000003 c1446436") + b"HELLO")
        rig.until(peer.bodies)
        assert STANDARD.encode(*peer.frames[0]) == bytes.fromhex("00000005 00000005 00000003 c1446436") + b"HELLO"


def test_clients_that_do_not_read_cannot_hold_up_the_others() -> None:
    business = BusinessSettings(queue=400, per_connection=100)
    connections = ConnectionSettings(send_buffer=1024, slow_reader_timeout=30.0)
    large = route(5, lambda request: request.body * 2000)
    small = route(6, lambda request: request.body)
    with reactor_rig(large, small, business=business, connections=connections) as rig:
        greedy = [rig.connect() for _ in range(6)]
        for peer in greedy:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.send_some(peer.encode(5, b"x" * 16) * 300)
        rig.until(lambda: rig.total("queue_full"))
        good = rig.connect()
        good.send(6, b"still served")
        rig.until(lambda: good.bodies() == [b"still served"])
        assert rig.total("slow_readers") > 0
