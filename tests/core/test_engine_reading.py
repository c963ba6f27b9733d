"""The engine over real sockets: opening, reading, limits."""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.settings import FrameSettings
from tests.core.engine_rig import EngineRig, engine_rig, fill, socket_of, turns_in
from tests.core.peers import STANDARD, Peer
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

HELLO = STANDARD.encode(1, 5, b"hello")


@pytest.fixture
def rig() -> Iterator[EngineRig]:
    with engine_rig() as made:
        yield made


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- opening and reading -----------------------------------------------------------------------------------


def test_a_client_is_accepted_with_an_id_and_its_address(rig: EngineRig) -> None:
    peer, slot = rig.open()
    assert slot.connection is not None
    assert slot.connection.id == f"1.{slot.index}.0"
    host, port = peer.sock.getsockname()
    assert slot.connection.peer == f"{host}:{port}"
    with socket_of(slot) as client:
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not os.get_blocking(client.fileno())
        assert not os.get_inheritable(client.fileno())
    assert rig.engine.gauges()["connections"] == 1


def test_a_frame_that_comes_byte_by_byte(rig: EngineRig) -> None:
    peer, _ = rig.open()
    for byte in HELLO:
        peer.sock.send(bytes([byte]))
        rig.poll()
    rig.until(lambda: rig.frames)
    assert rig.frames == [(1, 5, b"hello")]


def test_glued_frames_come_as_one_batch(rig: EngineRig) -> None:
    peer, slot = rig.open()
    peer.sock.sendall(HELLO * 20 + HELLO[:7])
    rig.until(lambda: len(rig.frames) == 20)
    assert rig.arrived == [(slot, slot.connection, [(1, 5, b"hello")] * 20)]
    assert slot.messages_in == rig.engine.counters.messages_in == 20


def test_clients_over_a_unix_socket(tmp_path: Path) -> None:
    where = os.path.relpath(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(where)
        listening.listen()
        with engine_rig(listening=listening) as rig, socket.socket(socket.AF_UNIX) as client:
            client.connect(where)
            client.sendall(HELLO)
            rig.until(lambda: rig.frames)
            (slot,) = rig.opened
            assert slot.connection is not None
            assert slot.connection.peer == "unix:"
            rig.reply(slot, b"back")
            assert client.recv(100) == STANDARD.encode(1, 0, b"back")


def test_a_wait_without_events_is_as_long_as_it_may_be(rig: EngineRig) -> None:
    rig.open()
    assert turns_in(rig, 0.3) <= 2


def test_busy_clients_keep_nobody_waiting(rig: EngineRig) -> None:
    """What one wait takes is bounded, and the kernel reports who was not read in the same order again."""
    stream = STANDARD.encode(1, 0, bytes(8000)) * 64
    busy = [rig.open()[0] for _ in range(8)]
    quiet, slot = rig.open()
    offsets = dict.fromkeys(busy, 0)

    def turn() -> None:
        for peer in busy:
            offsets[peer] = (offsets[peer] + peer.send_some(stream[offsets[peer] :])) % len(stream)
        rig.poll()

    for _ in range(5):
        turn()
    rig.arrived.clear()
    quiet.sock.sendall(HELLO)
    for _ in range(8):
        turn()
    assert slot in [arrived for arrived, _, _ in rig.arrived]


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"\xff" * 16, "length 4294967295 means a body of 4294967295 bytes, above max_body = 1048576"),
        (b"GET / HTTP/1.1\r\n\r\n", "(this looks like an HTTP request)"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh", "(this looks like a TLS hello)"),
    ],
)
def test_strangers_are_closed_at_once(rig: EngineRig, data: bytes, detail: str) -> None:
    peer, slot = rig.open()
    peer.sock.sendall(data)
    rig.until(lambda: rig.closed)
    ((closed, connection, reason, found),) = rig.closed
    assert (closed, connection.id, reason) == (slot, "1.0.0", reasons.BAD_FRAME)
    assert detail in found
    assert rig.engine.counters.bad_frames == 1
    rig.until(lambda: peer.gone)


def test_a_stranger_is_recognised_in_whatever_pieces_it_speaks(rig: EngineRig) -> None:
    peer, _ = rig.open()
    peer.sock.sendall(b"GE")
    rig.until(lambda: rig.engine.counters.bytes_in)
    peer.sock.sendall(b"T / HTTP/1.1\r\n\r\n")
    rig.until(lambda: rig.closed)
    assert rig.closed[0][3].endswith("(this looks like an HTTP request)")


def test_what_came_before_the_bad_frame_is_handled(rig: EngineRig) -> None:
    peer, _ = rig.open()
    peer.sock.sendall(HELLO + b"\xff" * 16 + HELLO)
    rig.until(lambda: rig.closed)
    assert rig.frames == [(1, 5, b"hello")]


def damaged(body: bytes) -> bytes:
    return STANDARD.encode(1, 5, body)[: -len(body)] + body[::-1]


def test_a_wrong_checksum_closes(rig: EngineRig) -> None:
    peer, _ = rig.open()
    peer.sock.sendall(damaged(b"ab") + HELLO)
    rig.until(lambda: rig.closed)
    assert rig.reasons == [reasons.BAD_CHECKSUM]
    assert rig.engine.counters.bad_checksums == 1
    assert rig.frames == []


def test_a_wrong_checksum_may_be_dropped_instead() -> None:
    with engine_rig(frame=FrameSettings(on_bad_checksum="drop")) as rig:
        peer, _ = rig.open()
        peer.sock.sendall(damaged(b"ab") + HELLO + damaged(b"ab"))
        rig.until(lambda: rig.engine.counters.bad_checksums == 2)
        assert rig.frames == [(1, 5, b"hello")]
        assert rig.closed == []


def test_a_frame_that_is_never_finished() -> None:
    with engine_rig(frame=FrameSettings(timeout=0.1)) as rig:
        peer, _ = rig.open()
        peer.sock.sendall(HELLO + HELLO[:18])
        rig.until(lambda: rig.closed)
        ((_, _, reason, detail),) = rig.closed
        assert (reason, detail) == (
            reasons.FRAME_TIMEOUT,
            "a frame of which 18 bytes had come was not finished in 0.1 s",
        )
        rig.until(lambda: peer.gone)


def test_a_connection_between_two_frames_may_be_silent() -> None:
    with engine_rig(frame=FrameSettings(timeout=0.02)) as rig:
        peer, _ = rig.open()
        peer.sock.sendall(HELLO[:18])
        rig.poll()
        peer.sock.sendall(HELLO[18:])
        rig.until(lambda: rig.frames)
        turns_in(rig, 0.1)
        assert rig.closed == []


def test_a_stream_that_always_ends_in_the_midst_of_a_frame_is_not_late(rig: EngineRig) -> None:
    peer, slot = rig.open()
    peer.sock.sendall(HELLO[:18])
    rig.until(lambda: slot in rig.engine._deadlines.frames)
    rig.engine._deadlines.frames[slot] = 0.0  # long ago
    rig.engine._deadlines._next_look = float("inf")
    peer.sock.sendall(HELLO[18:] + HELLO[:18])
    rig.until(lambda: rig.frames)
    assert rig.engine._deadlines.frames[slot] > 0.0


def test_time_in_which_a_connection_was_paused_is_not_held_against_its_frame() -> None:
    """The rest of the frame lies in the kernel, unread: the client has done its part."""
    with engine_rig(frame=FrameSettings(timeout=0.15), per_connection=1) as rig:
        peer, slot = rig.open()
        peer.sock.sendall(HELLO[:18])
        rig.until(lambda: slot in rig.engine._deadlines.frames)
        work = Request(slot.connection, 1, 0, b"", Route(1, lambda _: None, "", "", "pool"))  # type: ignore[arg-type]
        slot.pending.extend([work] * 2)
        peer.sock.sendall(HELLO[18:])
        rig.until(lambda: slot.paused)
        turns_in(rig, 0.3)
        seen = slot.last_seen
        slot.pending.clear()
        rig.engine.resume_all()
        assert slot.last_seen >= seen + 0.3  # nor is it called silent
        rig.engine._deadlines._next_look = 0.0
        rig.engine._enforce_deadlines(time.monotonic())
        rig.until(lambda: rig.frames or rig.closed)
        assert rig.closed == []
        assert rig.frames == [(1, 5, b"hello")]


# -- limits ------------------------------------------------------------------------------------------------


def test_at_the_limit_it_stops_accepting_and_resumes() -> None:
    with engine_rig(max=2, initial=1) as rig:
        (peer, _), _ = rig.open(), rig.open()
        third = rig.connect()
        third.sock.sendall(HELLO)
        rig.poll()
        assert turns_in(rig, 0.1) <= 2
        assert rig.engine.gauges()["accepting"] == 0
        assert len(rig.opened) == 2
        peer.close()
        rig.until(lambda: len(rig.opened) == 3 and rig.frames)
        assert rig.engine.gauges()["connections"] == 2


def test_out_of_descriptors_it_backs_off_logs_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with engine_rig() as rig, caplog.at_level(logging.INFO):
        rig.poll()
        rig.connect()
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            wait_until(lambda: rig.engine.counters.accept_failures >= 2, rig.poll)
            turns = turns_in(rig, 0.3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert turns <= 10
        rig.until(lambda: rig.opened)
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "accepting pauses: Too many open files",
        "accepting again",
    ]


def test_after_stop_accepting_the_clients_that_are_there_are_served(rig: EngineRig) -> None:
    peer, slot = rig.open()
    rig.engine.stop_accepting()
    rig.connect()
    peer.sock.sendall(HELLO)
    rig.until(lambda: rig.frames)
    turns_in(rig, 0.05)
    assert rig.opened == [slot]


# -- waking, snapshots, leaks ------------------------------------------------------------------------------


def test_waking_ends_a_wait_and_many_wakings_one(rig: EngineRig) -> None:
    for _ in range(3):
        for _ in range(100):
            rig.engine.wake()
        began = time.monotonic()
        rig.poll(10.0)
        assert time.monotonic() - began < 5
    assert turns_in(rig, 0.1) == 1


def test_close_all_gives_what_no_batch_has_told() -> None:
    with engine_rig() as rig:
        rig.open()
        _, slot = rig.open()
        rig.engine.close(slot, "before")
        assert sorted(reason for _, _, reason, _ in rig.engine.close_all()) == ["before", reasons.STOPPING]
        assert rig.engine.close_all() == []


def test_nothing_leaks_however_clients_end() -> None:
    before = descriptors()
    with engine_rig(initial=0, max=20, recycle_delay=0.0, send_buffer=50_000) as rig:
        for turn in range(60):
            peer, slot = rig.open()
            if turn % 6 == 0:
                peer.sock.sendall(b"\xff" * 16)
            elif turn % 6 == 1:
                peer.sock.sendall(HELLO[:20])
                peer.half_close()
            elif turn % 6 == 2:
                fill(rig, slot, 50_000)
                assert slot.park(slot, 50_000)
                peer.abort()
            elif turn % 6 == 3:
                rig.engine.close_soon(slot, slot.generation, "asked", drain=True)
                peer.half_close()
            elif turn % 6 == 4:
                rig.reply(slot, b"bye")
                peer.close()
            else:
                peer.abort()
            rig.until(lambda: not rig.engine.open_slots())
            rig.engine.pool.recycle(time.monotonic())
            peer.close()
        engine = rig.engine
        assert len(rig.closed) == len(rig.opened) == 60
        assert rig.engine.pool.made <= 40
        assert not engine.open_slots()
        assert not engine._paused
        assert engine._deadlines.wait(0.0) == float("inf")
        assert descriptors() == before + 3  # epoll, the wake-up, the listener
    assert descriptors() == before


@pytest.mark.parametrize("layout", sorted(PRESETS))
def test_every_preset_both_ways(layout: str) -> None:
    with engine_rig(layout=layout) as rig:
        peer, slot = rig.open()
        peer.send(5, b"there")
        rig.until(lambda: rig.frames)
        assert rig.frames[0][2] == b"there"
        rig.reply(slot, b"and back")
        rig.until(peer.bodies)
        assert peer.bodies() == [b"and back"]


def test_who_reads_and_writes_at_the_same_time_from_two_threads_sends_in_order(rig: EngineRig) -> None:
    """The sender and the reactor flush the same slots; nothing is doubled, lost or torn."""
    peer, slot = rig.open()
    stop = threading.Event()

    def write() -> None:
        counters = Counters()
        while not stop.is_set():
            rig.engine.write([slot], counters)

    thread = threading.Thread(target=write)
    thread.start()
    expected = []
    for number in range(3000):
        body = b"%d " % number * 40
        rig.until(lambda: peer.bodies() is not None and slot.unsent < 500_000)
        assert slot.queue(slot.generation, (1, 0, body))
        expected.append(body)
        if number % 50 == 0:
            rig.poll(0)
            peer.pump()
    rig.until(lambda: len(peer.bodies()) == len(expected))
    stop.set()
    thread.join()
    assert peer.bodies() == expected
    assert slot.unsent == 0


def test_a_peer_of_another_test_is_not_confused() -> None:
    """Two engines in one process, as two listeners' workers would have."""
    with engine_rig() as one, engine_rig(layout="compact") as two:
        for rig in (one, two):
            peer, slot = rig.open()
            assert isinstance(peer, Peer)
            peer.send(3, b"x")
            rig.until(lambda: rig.frames)  # noqa: B023
            assert rig.arrived[0][0] is slot
