"""What two workers say to each other, over a real socket pair."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from commscaffoldd.core.moving import ConnectionState
from commscaffoldd.worker.handover.parcels import BrokenStreamError, Late, Moving, Parcel, ParcelStream, Taken

STATE = ConnectionState(
    id="1.0.0",
    peer="127.0.0.1:1",
    opened_at=0.0,
    last_seen=0.0,
    tokens=0.0,
    tokens_at=0.0,
    messages_in=0,
    messages_out=0,
    received=b"",
    messages=[],
    unsent=b"",
    session=b"",
)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_from_the_recall_on_no_answer_is_given() -> None:
    """Each side knows the same of each answer: the kernel has refused it, or will hand it over."""
    ours, theirs = socket.socketpair()
    giving, taking = ParcelStream(ours), ParcelStream(theirs)
    assert taking.answer(Taken(1))
    giving.recall()
    assert not taking.answer(Taken(2))
    assert giving.receive() == [(Taken(1), None)]
    assert giving.ended
    giving.send(Late(1, [], "enough"))  # the other direction is as it was
    assert taking.receive() == [(Late(1, [], "enough"), None)]
    giving.close()
    taking.close()


def test_what_cannot_be_read_leaves_no_descriptor_open() -> None:
    before = descriptors()
    ours, theirs = socket.socketpair()
    giving, taking = ParcelStream(ours), ParcelStream(theirs)
    read_end, write_end = os.pipe()
    giving.send(Moving(1, "127.0.0.1:9000", "standard", STATE), read_end)
    ours.sendall(b"\0\0\0\1\xff")
    with pytest.raises(BrokenStreamError, match="cannot be read"):
        taking.receive()
    taking.close()
    giving.close()
    os.close(read_end)
    os.close(write_end)
    assert descriptors() == before


def test_a_large_parcel_goes_in_pieces_and_its_descriptor_with_the_first() -> None:
    ours, theirs = socket.socketpair()
    giving, taking = ParcelStream(ours), ParcelStream(theirs)
    read_end, write_end = os.pipe()
    giving.send(Late(1, [(1, 0, bytes(3_000_000))], ""))
    giving.send(Moving(2, "127.0.0.1:9000", "standard", STATE), write_end)
    assert giving.unsent
    got: list[tuple[Parcel, int | None]] = []
    while len(got) < 2:
        got += taking.receive()
        giving.flush()
    (late, none), (moving, fd) = got
    assert (late, none) == (Late(1, [(1, 0, bytes(3_000_000))], ""), None)
    assert moving == Moving(2, "127.0.0.1:9000", "standard", STATE)
    assert fd is not None
    os.write(fd, b"x")
    assert os.read(read_end, 1) == b"x"
    for number in (fd, read_end, write_end):
        os.close(number)
    giving.close()
    assert not taking.receive()
    assert taking.ended
    taking.close()
