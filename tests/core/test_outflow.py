"""What leaves by a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.outflow import JOIN_BELOW, PIECES, encode_outbox, send_chunks
from commscaffoldd.core.slot import Slot
from tests.core.slots import Recorder, open_slot


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def filled(*bodies: bytes) -> Slot:
    slot = open_slot(Recorder(send_buffer=1 << 30))
    for number, body in enumerate(bodies):
        assert slot.queue(0, (1, number, body))
    return slot


def wire(*bodies: bytes) -> bytes:
    layout = open_slot(Recorder()).endpoint
    assert layout is not None
    return b"".join(layout.layout.encode(1, number, body) for number, body in enumerate(bodies))


def test_a_batch_becomes_one_piece_and_one_system_call(ends: tuple[socket.socket, socket.socket]) -> None:
    slot, counters = filled(b"a", b"b", b"c"), Counters()
    encode_outbox(slot, counters)
    assert len(slot.chunks) == 1
    assert send_chunks(slot, ends[0], counters)
    assert ends[1].recv(1000) == wire(b"a", b"b", b"c")
    assert (counters.messages_out, counters.sends, counters.bytes_out) == (3, 1, 51)
    assert (slot.unsent, slot.messages_out, slot.outbox, slot.chunks) == (0, 3, [], [])


def test_large_batches_are_not_copied() -> None:
    slot, counters = filled(bytes(JOIN_BELOW), b"x"), Counters()
    encode_outbox(slot, counters)
    assert len(slot.chunks) == 2


def test_a_peer_that_has_gone_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    slot, counters = filled(b"a"), Counters()
    ends[1].close()
    encode_outbox(slot, counters)
    with pytest.raises(BrokenPipeError):
        send_chunks(slot, ends[0], counters)


class Dribble:
    """A socket that takes what it is told to take."""

    def __init__(self, takes: list[int]) -> None:
        self.takes = takes
        self.got = b""

    def _take(self, data: bytes) -> int:
        if not self.takes or not (limit := self.takes.pop(0)):
            raise BlockingIOError
        self.got += data[:limit]
        return min(limit, len(data))

    def send(self, data: bytes) -> int:
        return self._take(bytes(data))

    def sendmsg(self, chunks: list[bytes]) -> int:
        assert len(chunks) <= PIECES
        return self._take(b"".join(chunks))


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 90), max_size=30))
def test_however_little_the_socket_takes_all_of_it_leaves_in_order(bodies: list[bytes], takes: list[int]) -> None:
    slot, counters = filled(*bodies), Counters()
    encode_outbox(slot, counters)
    slot.chunks = [memoryview(chunk)[at : at + 7] for chunk in slot.chunks for at in range(0, len(chunk), 7)]
    client = Dribble([*takes, *[1 << 20] * (2 + len(slot.chunks))])
    for _ in range(len(client.takes) + 1):
        if send_chunks(slot, client, counters):  # type: ignore[arg-type]
            break
    assert client.got == wire(*bodies)
    assert (slot.unsent, slot.chunks) == (0, [])


def test_more_pieces_than_one_call_may_have() -> None:
    slot, counters = filled(*[bytes(100)] * (PIECES * 2 + 10)), Counters()
    encode_outbox(slot, counters)
    assert len(slot.chunks) > PIECES
    client = Dribble([1 << 30] * 3)
    assert send_chunks(slot, client, counters)  # type: ignore[arg-type]
    assert len(client.got) == counters.bytes_out == 116 * (PIECES * 2 + 10)
