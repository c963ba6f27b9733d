"""docs/protocol.md, "What wrong input gets", row by row: the client's view, the counter, and the line in the log."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from commscaffoldd.core.layout import PRESETS
from tests.system.conftest import NewDaemon
from tests.system.daemon import Daemon, status_text
from tests.system.raw import Raw, error_reply, frame, header
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

PLUGIN = """
    import time
    from commscaffoldd import handler, hookimpl

    @handler(6)
    def raises(request):
        raise RuntimeError("secret detail")

    @handler(7)
    def slow(request):
        time.sleep(float(request.body))
        return request.body

    @handler(8)
    def wrong_type(request):
        return "text"

    @handler(9, inline=True)
    def raises_inline(request):
        raise SystemExit(3)

    @handler(10)
    def number(request):
        return 7

    @hookimpl
    def connection_closed(connection, reason): ...
    """
LIMIT = 4096


def make(new_shared_daemon: NewDaemon, **frame_settings: object) -> Daemon:
    daemon = new_shared_daemon()
    daemon.plugin("misbehaving", PLUGIN)
    daemon.configure(
        frame={"max_body": LIMIT, "timeout": 0.5, **frame_settings},
        connections={"recycle_delay": 0.1},
        flood={"rate": 1000, "burst": 3000},
        log={"level": "debug"},
        listen=[
            {"address": daemon.free_address()},
            {"address": daemon.free_address(), "layout": "compact"},
            {"address": daemon.free_address(), "layout": "workerman"},
            {"address": daemon.free_address(), "layout": "mine"},
        ],
        layout={"mine": {"fields": ["magic:u16=0xCAFE", "length:u16", "id:u16"]}},
    )
    daemon.start()
    return daemon


@pytest.fixture(scope="module")
def shared(new_shared_daemon: NewDaemon, each_engine: str) -> Daemon:
    """It closes for a wrong checksum and drops unknown IDs: the defaults."""
    assert each_engine
    return make(new_shared_daemon)


@pytest.fixture(scope="module")
def lenient(new_shared_daemon: NewDaemon, each_engine: str) -> Daemon:
    """The other way round."""
    assert each_engine
    return make(new_shared_daemon, on_bad_checksum="drop", on_unknown_id="close")


@pytest.fixture
def daemon(shared: Daemon) -> Iterator[Daemon]:
    """The daemon; after whatever the test did it serves on, in the same process, and holds nothing of the client."""
    before = shared.ready()
    yield shared
    assert shared.ready() == before
    with shared.connect() as client:
        assert client.call(1, b"and on") == b"and on"
    wait_until(lambda: shared.gauge("connections") == 0, what="the end of all connections")
    wait_until(lambda: shared.gauge("queue") == 0, what="an empty queue")


def warned(daemon: Daemon, peer: str, *parts: str) -> bool:
    """Wait for the one warning about this peer, and look for these words in it."""
    wait_until(lambda: daemon.log_lines("WARNING", peer), what=f"a warning about {peer}")
    (line,) = daemon.log_lines("WARNING", peer)
    assert all(part in line for part in parts), line
    return True


BAD_FRAMES = [
    (0, header(LIMIT + 1), ("bad frame", str(LIMIT + 1), str(LIMIT))),
    (0, header(0xFFFFFFFF), ("bad frame", "4294967295")),
    (1, b"\x00\x07\x00\x01\x00\x00\x00\x00", ("bad frame", "7")),
    (1, b"\x00\x00\x00\x01\x00\x00\x00\x00", ("bad frame",)),
    (2, b"\x00\x00\x00\x03", ("bad frame",)),
    (2, b"\x7f\xff\xff\xff", ("bad frame",)),
    (3, b"\xca\xfd\x00\x01\x00\x01x", ("bad frame", "0xcafd where 0xcafe must stand")),
    (0, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", ("this looks like an HTTP request",)),
    (0, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), ("this looks like a TLS hello",)),
    (1, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" + b"x" * 20000, ("this looks like an HTTP request",)),
    (0, b"SSH-2.0-OpenSSH_9.2\r\n", ("this looks like SSH",)),
    (0, b"\xff" * 1000, ("bad frame",)),
]


@pytest.mark.parametrize(("listener", "data", "words"), BAD_FRAMES)
def test_what_cannot_be_a_frame_is_closed(daemon: Daemon, listener: int, data: bytes, words: tuple[str, ...]) -> None:
    before = daemon.settled("bad_frames")
    with Raw(daemon.address(listener)) as client:
        client.send(data)
        assert client.receive_all() == b""
        assert warned(daemon, client.name, *words)
    wait_until(lambda: daemon.count("bad_frames") == before + 1)


def test_good_frames_before_a_bad_one_are_answered(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client:
        client.send(frame(2, b"good"))
        assert client.receive_exactly(20) == frame(2, b"good")
        client.send(header(LIMIT + 1))
        assert client.receive_all() == b""


def test_the_largest_body_is_allowed(daemon: Daemon) -> None:
    with daemon.connect() as client:
        assert client.call(1, b"x" * LIMIT) == b"x" * LIMIT


def test_a_wrong_checksum_closes(daemon: Daemon) -> None:
    before = daemon.settled("bad_checksums")
    with Raw(daemon.address()) as client:
        client.send(header(4, checksum=1) + b"body")
        assert client.receive_all() == b""
        assert warned(daemon, client.name, "bad checksum")
    wait_until(lambda: daemon.count("bad_checksums") == before + 1)


def test_a_wrong_checksum_drops_the_frame_if_so_configured(lenient: Daemon) -> None:
    before = lenient.settled("bad_checksums")
    with Raw(lenient.address()) as client:
        client.send(header(4, checksum=1) + b"body" + frame(1, b"next", sequence=2))
        assert client.receive_exactly(20) == frame(1, b"next", sequence=2)
    wait_until(lambda: lenient.count("bad_checksums") == before + 1)


def test_an_unknown_message_id_gets_an_error_reply(daemon: Daemon) -> None:
    before = daemon.settled("unknown_ids")
    expected = error_reply(4711, 5, 1, "no handler for message ID 4711")
    with Raw(daemon.address()) as client:
        client.send(frame(4711, b"x", sequence=5))
        assert client.receive_exactly(len(expected)) == expected
        client.send(frame(1, b"alive"))
        assert client.receive_exactly(21) == frame(1, b"alive")
    wait_until(lambda: daemon.count("unknown_ids") == before + 1)
    called = daemon.command("call", daemon.address(), "4711")
    assert called.code == 1
    assert "unknown message ID" in called.err


def test_an_unknown_message_id_is_dropped_where_there_are_no_error_replies(daemon: Daemon) -> None:
    before = daemon.settled("unknown_ids")
    with daemon.connect(1) as client:
        client.send(4711, b"x")
        assert client.call(1, b"alive") == b"alive"
    wait_until(lambda: daemon.count("unknown_ids") == before + 1)


def test_an_unknown_message_id_closes_if_so_configured(lenient: Daemon) -> None:
    before = lenient.settled("unknown_ids")
    with Raw(lenient.address()) as client:
        client.send(frame(4711))
        client.receive_all()
        assert warned(lenient, client.name, "unknown message ID", "4711")
    wait_until(lambda: lenient.count("unknown_ids") == before + 1)


@pytest.mark.parametrize(
    "beginning", [b"\x00", header(10), header(10) + b"123456789", frame(0, sequence=0) + b"\x00"]
)
def test_a_frame_that_is_not_finished_closes(daemon: Daemon, beginning: bytes) -> None:
    before = daemon.settled("frame_timeouts")
    began = time.monotonic()
    with Raw(daemon.address()) as client:
        client.send(beginning)
        client.receive_all()
        assert 0.4 < time.monotonic() - began < 3
        assert warned(daemon, client.name, "frame timeout")
    wait_until(lambda: daemon.count("frame_timeouts") == before + 1)


def test_a_frame_that_drips_is_not_finished_either(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client, pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012
        client.send(header(LIMIT))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            client.send(b"x")
            time.sleep(0.02)  # the pace is what is tested


def test_frames_in_any_pieces_and_glued_are_served(daemon: Daemon) -> None:
    whole = b"".join(frame(1, b"message %d" % number, number) for number in range(1, 6))
    with Raw(daemon.address()) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(whole), 7):
            client.send(whole[start : start + 7])
        assert client.receive_exactly(len(whole)) == whole
        client.send(whole)
        assert client.receive_exactly(len(whole)) == whole


def test_a_peer_that_closes_in_the_middle_of_a_frame(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client:
        name = client.name
        client.send(header(10) + b"123")
    wait_until(lambda: daemon.log_lines(name, "closed by peer", "in the middle of a frame"))


def test_a_peer_that_shuts_its_side_in_the_middle_of_a_frame(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client:
        client.send(frame(1, b"whole") + header(10) + b"123")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive_all() == frame(1, b"whole")


def test_a_peer_that_shuts_its_side_gets_the_replies_that_it_waits_for(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client:
        client.send(frame(7, b"0.2") + frame(1, b"last", sequence=2))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive_all() == frame(7, b"0.2") + frame(1, b"last", sequence=2)


@pytest.mark.parametrize("manner", ["closes", "resets"])
def test_a_peer_that_is_gone_when_its_reply_is_ready(daemon: Daemon, manner: str) -> None:
    before = daemon.settled("messages_in")
    with Raw(daemon.address()) as client:
        name = client.name
        client.send(frame(7, b"0.3"))
        wait_until(lambda: daemon.count("messages_in") == before + 1)
        if manner == "resets":
            client.reset()
        else:
            client.socket.close()
    wait_until(lambda: daemon.log_lines(f"closed {name}"))
    if manner == "resets":
        assert daemon.log_lines(f"closed {name}", "reset by peer")


def test_a_late_reply_reaches_nobody_else(daemon: Daemon) -> None:
    """Slots are used again soon here; the replies to those who have gone are on their way all the time."""
    late = daemon.settled("late_replies")
    for number in range(30):
        with Raw(daemon.address()) as gone:
            gone.send(frame(7, b"0.05", sequence=99))
            if number % 2:
                gone.reset()
        with daemon.connect() as client:
            body = b"%d" % number
            client.send(1, body)
            reply = client.receive()
            assert (reply.id, reply.body) == (1, body)
    wait_until(lambda: daemon.count("late_replies") > late)


def test_resets_at_once_after_connecting(daemon: Daemon) -> None:
    for _ in range(50):
        Raw(daemon.address()).reset()


@pytest.mark.parametrize(
    ("message_id", "error"),
    [
        (6, "RuntimeError: secret detail"),
        (8, "wrong_type returned str; expected bytes for a reply, or None for none"),
        (9, "SystemExit: 3"),
        (10, "number returned int; expected bytes for a reply, or None for none"),
    ],
)
def test_a_handler_that_fails(daemon: Daemon, message_id: int, error: str) -> None:
    before = daemon.settled("handler_errors")
    expected = error_reply(message_id, 5, 3, "the handler failed")
    with Raw(daemon.address()) as client:
        client.send(frame(message_id, b"x", sequence=5))
        assert client.receive_exactly(len(expected)) == expected
        wait_until(lambda: daemon.log_lines("ERROR", client.name))
        (line,) = daemon.log_lines("ERROR", client.name)
        assert f"message ID {message_id} from {client.name}" in line
        assert "plugin misbehaving" in line
        assert error in line
        connection = line.partition("[")[2].partition("]")[0]
        assert daemon.log_lines(f"[{connection}]", "Traceback")
        if message_id in (6, 9):
            assert daemon.log_lines(f"[{connection}]", "misbehaving.py", "line")
        client.send(frame(1, b"alive"))
        assert client.receive_exactly(21) == frame(1, b"alive")
    wait_until(lambda: daemon.count("handler_errors") == before + 1)


def test_a_handler_that_fails_on_and_on_does_not_fill_the_disk(lenient: Daemon) -> None:
    with lenient.connect() as client:
        for _ in range(500):
            client.send(6)
        codes = {client.receive().id for _ in range(500)}
    assert codes == {PRESETS["standard"].error_id}
    wait_until(lambda: lenient.count("handler_errors") + lenient.count("quarantined") >= 500)
    assert lenient.count("quarantined") > 0
    assert len(lenient.log_lines("ERROR", "message ID 6")) < 20


def test_a_flood_is_closed(daemon: Daemon) -> None:
    before = daemon.settled("floods")
    with Raw(daemon.address()) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # closed while it was still sending
            client.send(frame(2, b"x") * 20000)
        client.receive_all()
        assert warned(daemon, client.name, "flood", "allowed: 1000 messages a second, 3000 at once")
    wait_until(lambda: daemon.count("floods") == before + 1)


def test_a_burst_within_the_limit_is_no_flood(daemon: Daemon) -> None:
    before = daemon.settled("floods")
    with Raw(daemon.address()) as client:
        client.send(frame(2, b"x") * 2500)
        assert client.receive_exactly(17 * 2500) == frame(2, b"x") * 2500
    assert daemon.count("floods") == before


def test_all_of_it_is_shown_by_status(daemon: Daemon) -> None:
    with Raw(daemon.address()) as client:
        client.send(header(LIMIT + 1))
        client.receive_all()
    wait_until(lambda: daemon.count("bad_frames"))
    shown = status_text(daemon.command("status", "--json"))
    assert shown["totals"]["bad_frames"] >= 1
    assert json.dumps(shown)
    assert "bad frames" in daemon.command("status").out
