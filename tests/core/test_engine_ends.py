"""The engine over real sockets: how connections end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.slot import State
from tests.core.engine_rig import EngineRig, engine_rig, socket_of, turns_in
from tests.core.peers import STANDARD
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

HELLO = STANDARD.encode(1, 5, b"hello")


@pytest.fixture
def rig() -> Iterator[EngineRig]:
    with engine_rig() as made:
        yield made


# -- ends --------------------------------------------------------------------------------------------------


def test_a_client_that_leaves_between_frames(rig: EngineRig) -> None:
    peer, slot = rig.open()
    peer.close()
    rig.until(lambda: rig.closed)
    assert [closed[2:] for closed in rig.closed] == [(reasons.PEER_CLOSED, "")]
    assert slot.state is State.COOLING
    assert rig.engine.open_slots() == ()


def test_a_half_close_in_the_middle_of_a_frame(rig: EngineRig) -> None:
    peer, _ = rig.open()
    peer.sock.sendall(HELLO[:18])
    peer.half_close()
    rig.until(lambda: rig.closed)
    assert rig.closed[0][2:] == (reasons.PEER_CLOSED, "in the middle of a frame, 18 bytes of it read")
    rig.until(lambda: peer.gone)


def test_a_half_close_while_a_handler_runs_and_its_reply_still_arrives(rig: EngineRig) -> None:
    peer, slot = rig.open()
    slot.try_own()  # a handler runs
    peer.sock.sendall(HELLO)
    peer.half_close()
    rig.until(lambda: slot.state is State.DRAINING)
    assert turns_in(rig, 0.1) <= 2
    assert slot.queue(slot.generation, (1, 5, b"reply"))
    slot.disown()
    rig.engine.check_drained(slot)
    rig.poll()
    assert rig.closed == []
    rig.flush(slot)
    rig.until(lambda: rig.closed)
    rig.until(lambda: peer.gone)
    assert peer.bodies() == [b"reply"]
    assert not peer.reset


def test_a_reset_is_told_as_one(rig: EngineRig) -> None:
    peer, _ = rig.open()
    peer.abort()
    rig.until(lambda: rig.closed)
    assert rig.reasons == [reasons.PEER_RESET]


@pytest.mark.parametrize("state", [State.OPEN, State.DRAINING])
def test_a_reset_ends_also_who_is_not_read_from(rig: EngineRig, state: State) -> None:
    peer, slot = rig.open()
    slot.try_own()
    if state is State.DRAINING:
        rig.engine.drain(slot, "enough")
    else:
        rig.budget = 0
        peer.sock.sendall(HELLO)
        rig.until(lambda: slot.paused)
    peer.abort()
    rig.until(lambda: rig.closed)
    assert rig.reasons == ["enough" if state is State.DRAINING else reasons.PEER_RESET]
    slot.disown()


def test_the_sender_finds_that_the_peer_has_gone_and_the_reactor_closes(rig: EngineRig) -> None:
    peer, slot = rig.open()
    peer.abort()
    wait_until(lambda: slot.asked_to_end == 0, lambda: rig.reply(slot, b"x"))
    assert slot.connection is not None  # the sender has only asked
    rig.until(lambda: rig.closed)
    assert rig.reasons == [reasons.PEER_RESET]


def test_a_late_reply_never_reaches_the_slots_next_client() -> None:
    with engine_rig(initial=1, recycle_delay=0.0) as rig:
        peer, slot = rig.open()
        generation, connection = slot.generation, slot.connection
        assert connection is not None
        peer.close()
        rig.until(lambda: rig.closed)
        assert rig.engine.pool.recycle(time.monotonic()) == 0.0
        second, again = rig.open()
        assert again is slot
        assert slot.generation == generation + 1
        assert not slot.queue(generation, (1, 0, b"late"))
        assert not connection.send(1, b"late")
        rig.engine.close_soon(slot, generation, "late", drain=False)
        rig.reply(slot, b"yours")
        rig.until(second.bodies)
        assert second.bodies() == [b"yours"]
        assert len(rig.closed) == 1


def test_closing_soon_happens_once_and_only_to_its_generation(rig: EngineRig) -> None:
    _, slot = rig.open()
    for _ in range(3):
        rig.engine.close_soon(slot, slot.generation, "because", drain=False)
    rig.engine.close_soon(slot, slot.generation + 1, "never", drain=False)
    rig.until(lambda: rig.closed)
    turns_in(rig, 0.05)
    assert rig.reasons == ["because"]


def test_closing_twice_is_harmless(rig: EngineRig) -> None:
    _, slot = rig.open()
    rig.engine.close(slot, "first")
    rig.engine.close(slot, "second")
    rig.poll()
    assert rig.reasons == ["first"]


def test_what_is_closed_between_two_waits_is_told_at_once(rig: EngineRig) -> None:
    _, slot = rig.open()
    rig.engine.close(slot, "flood")
    began = time.monotonic()
    assert rig.poll(10.0).closed
    assert time.monotonic() - began < 5


# -- draining and lingering --------------------------------------------------------------------------------


def test_draining_sends_what_waits_and_waits_for_the_peers_end(rig: EngineRig) -> None:
    peer, slot = rig.open()
    slot.queue(slot.generation, (1, 0, b"last words"))
    rig.engine.drain(slot, "enough")
    peer.sock.sendall(HELLO)
    rig.flush(slot)
    rig.until(lambda: peer.gone)
    assert peer.bodies() == [b"last words"]
    assert rig.closed == []
    assert rig.frames == []  # what comes now is read and thrown away
    peer.close()
    rig.until(lambda: rig.closed)
    assert rig.reasons == ["enough"]


def test_unread_requests_do_not_destroy_the_last_replies(rig: EngineRig) -> None:
    """Closing a socket with something unread sends a reset, which overtakes what was sent before."""
    peer, slot = rig.open()
    peer.sock.sendall(HELLO * 100)
    slot.queue(slot.generation, (1, 0, bytes(50_000)))
    rig.engine.drain(slot, "enough")
    rig.flush(slot)
    rig.until(lambda: peer.gone)
    assert peer.bodies() == [bytes(50_000)]
    assert not peer.reset


def test_a_peer_that_does_not_end_is_not_waited_for_long(rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commscaffoldd.core.engine_base.LINGER", 0.1)
    _, slot = rig.open()
    rig.engine.drain(slot, "enough")
    assert turns_in(rig, 0.05) <= 5
    rig.until(lambda: rig.closed)


def test_going_away_is_said_when_the_daemon_stops(rig: EngineRig) -> None:
    peer, slot = rig.open()
    rig.engine.drain(slot, reasons.STOPPING)
    rig.until(lambda: peer.gone)
    assert peer.frames == [(0xFFFFFFFE, 0, b"")]


def test_nothing_is_said_where_the_layout_has_no_go_away() -> None:
    with engine_rig(layout="erlang") as rig:
        peer, slot = rig.open()
        rig.engine.drain(slot, reasons.STOPPING)
        rig.until(lambda: peer.gone)
        assert peer.frames == []


def test_a_drain_that_takes_too_long_ends() -> None:
    with engine_rig(slow_reader_timeout=0.1) as rig:
        _, slot = rig.open()
        slot.try_own()  # a handler that never returns
        rig.engine.drain(slot, "enough")
        rig.until(lambda: rig.closed)
        slot.disown()


def test_a_push_just_before_our_side_is_shut_is_sent_first(rig: EngineRig) -> None:
    peer, slot = rig.open()
    rig.engine.drain(slot, "enough") if slot.try_own() else None
    slot.disown()
    assert slot.queue(slot.generation, (1, 0, b"just in time"))
    rig.engine._finish_drained(slot)
    assert slot.state is State.DRAINING
    rig.flush(slot)
    rig.until(lambda: peer.gone)
    assert peer.bodies() == [b"just in time"]


def test_our_side_is_shut_even_if_the_farewell_does_not_fit(rig: EngineRig) -> None:
    peer, slot = rig.open()
    with socket_of(slot) as client, contextlib.suppress(BlockingIOError):
        while True:
            client.send(bytes(65536))
    rig.engine.drain(slot, reasons.STOPPING)
    assert slot.state is State.LINGERING
    while peer.sock.recv(1 << 20):  # until the end of the stream: nothing else is of interest here
        pass
