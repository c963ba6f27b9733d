"""What moves with a connection from one worker's core to another's: all that its client and its handlers rely on."""

from __future__ import annotations

import os

import pytest

from commscaffoldd.core.settings import FloodSettings
from tests.core.move_rig import ECHO, INLINE, SESSION, Engines, Move, move

BIG = 20_000_000  # bytes: more than sockets on loopback hold


def test_an_idle_connection_moves(two: Move) -> None:
    peer, slot = two.connect()
    peer.send(ECHO, b"one")
    two.get(peer, b"one")
    assert slot.connection is not None
    before, opened_at = slot.connection.id, slot.opened_at

    adopted = two.move(slot)

    assert adopted.connection is not None
    assert adopted.connection.id == before
    assert adopted.opened_at == opened_at
    assert adopted.connection.peer.startswith("127.0.0.1:")
    assert (adopted.messages_in, adopted.messages_out) == (1, 1)
    peer.send(ECHO, b"two")
    peer.send(INLINE, b"three")
    two.get(peer, b"one", b"two", b"three")
    assert not two.old.engine.open_slots()
    assert two.old.total("handed_over") == two.new.total("adopted") == 1
    assert two.old.total("closed") == 0


def test_it_can_move_again(two: Move) -> None:
    peer, slot = two.connect()
    bodies = []
    for number in range(6):
        body = b"%d" % number
        bodies.append(body)
        peer.send(ECHO, body)
        two.get(peer, *bodies)
        slot = two.move(slot)
        two.old, two.new = two.new, two.old


@pytest.mark.parametrize("layout", ["compact", "zinx-ltv", "erlang"])
def test_every_layout_moves(engines: Engines, layout: str) -> None:
    with move(engines, layout) as two:
        peer, slot = two.connect()
        frame = peer.encode(ECHO, b"hello")
        peer.sock.sendall(frame + frame[:5])
        two.get(peer, b"hello")
        two.move(slot)
        peer.sock.sendall(frame[5:])
        two.get(peer, b"hello", b"hello")


# -- what the client has sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 4095, 4096, 4097, 200_000, 799_999])
def test_half_a_frame_moves(two: Move, cut: int) -> None:
    body = os.urandom(800_000)
    peer, slot = two.connect()
    frame = peer.encode(ECHO, body)
    peer.sock.setblocking(True)
    peer.sock.sendall(frame[:cut])
    peer.sock.setblocking(False)
    two.until(lambda: two.old.total("bytes_in") == cut)
    two.move(slot)
    rest = memoryview(frame)[cut:]
    while rest:
        rest = rest[peer.send_some(bytes(rest[:65536])) :]
        two.turn()
    two.get(peer, body)


def test_messages_that_wait_move_in_their_order(two: Move) -> None:
    peer, slot = two.connect()
    two.hang(peer, b"first")
    for number in range(20):
        peer.send(INLINE if number % 3 else ECHO, b"%d" % number)
    two.until(lambda: two.old.total("messages_in") == 21)
    two.begin(slot)
    two.step()
    assert not two.results  # the handler runs: it is waited for
    two.story.door.set()
    prepared = two.prepared()
    assert len(prepared.state.messages) == 20
    two.hand_over(prepared)
    two.get(peer, b"first", *(b"%d" % number for number in range(20)))
    assert two.old.backlog.depth == 0
    two.until(lambda: two.new.backlog.depth == 0)


def test_a_client_that_has_shut_its_side_meanwhile_gets_all_its_replies(two: Move) -> None:
    peer, slot = two.connect()
    prepared = two.prepare(slot)
    for number in range(5):
        peer.send(ECHO, b"%d" % number)
    peer.half_close()
    adopted = two.hand_over(prepared)
    two.until(lambda: peer.gone)
    assert peer.bodies() == [b"%d" % number for number in range(5)]
    two.until(lambda: adopted.connection is None)
    assert not peer.reset


# -- what the client is to get -----------------------------------------------------------------------------


def test_what_the_client_has_not_read_moves(two: Move) -> None:
    body = os.urandom(BIG)
    peer, slot = two.connect()
    peer.send(ECHO, body[:100])
    two.get(peer, body[:100])
    slot.queue(slot.generation, (ECHO, 0, body))
    two.old.engine.flush_soon(slot)
    two.until(lambda: slot.blocked)
    for number in range(3):
        peer.send(ECHO, b"%d" % number)  # not handled before the client reads: parked
    two.turn()
    adopted = two.move(slot)
    assert adopted.unsent > 1_000_000
    two.get(peer, body[:100], body, b"0", b"1", b"2")


def test_what_is_pushed_meanwhile_is_not_lost(two: Move) -> None:
    peer, slot = two.connect()
    prepared = two.prepare(slot)
    connection = prepared.departing.connection
    assert connection.send(9, b"late")
    adopted = two.adopt(prepared)
    late = two.old.core.departures.confirm(prepared.departing)
    assert late == [(9, 0, b"late")]
    assert not connection.send(9, b"too late")
    two.queue_late(adopted, late)
    two.get(peer, b"late")


def test_replies_that_travel_are_counted_once(two: Move) -> None:
    peer, slot = two.connect()
    slot.queue(slot.generation, (ECHO, 0, b"waits in the outbox"))
    adopted = two.move(slot)
    two.get(peer, b"waits in the outbox")
    two.until(lambda: two.old.total("messages_out") + two.new.total("messages_out") == 1)
    assert adopted.messages_out == 1


# -- what is known of the client ---------------------------------------------------------------------------


def test_a_session_moves(two: Move) -> None:
    peer, slot = two.connect()
    peer.send(SESSION)
    two.get(peer, b"1")
    adopted = two.move(slot)
    assert adopted.connection is not None
    assert adopted.connection.session == {"number": 1}
    peer.send(SESSION)
    two.get(peer, b"1", b"2")


def test_the_flood_gate_goes_on_counting(engines: Engines) -> None:
    with move(engines, flood=FloodSettings(rate=0.001, burst=10)) as two:
        peer, slot = two.connect()
        for _ in range(6):
            peer.send(ECHO, b"x")
        two.get(peer, *[b"x"] * 6)
        two.move(slot)
        for _ in range(5):
            peer.send(ECHO, b"x")
        two.until(lambda: peer.gone)
        assert two.new.total("floods") == 1


def test_time_in_which_it_was_not_listened_to_is_no_silence(two: Move) -> None:
    _, slot = two.connect()
    before = slot.last_seen
    departing = two.begin(slot)
    departing.since -= 50.0  # a handler has run for so long
    prepared = two.prepared()
    assert prepared.state.last_seen >= before + 50.0
    two.cancel(departing)


def test_hooks_are_told_in_order(hooked: Move) -> None:
    peer, slot = hooked.connect()
    assert slot.connection is not None
    name = slot.connection.id
    hooked.move(slot)
    peer.send(ECHO, b"x")
    hooked.get(peer, b"x")
    peer.sock.close()
    hooked.until(lambda: len(hooked.story.told) == 4)
    assert hooked.story.told == [(what, name) for what in ("opened", "handing over", "adopted", "closed")]
