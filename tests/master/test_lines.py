"""JSON lines over a socket that is never waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from commscaffoldd.master.lines import LineStream

MAX_LINE, MAX_UNSENT = 100, 200_000


class Heard:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ends: list[str] = []

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    def ended(self, reason: str) -> None:
        self.ends.append(reason)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def peer(loop: Any, heard: Heard) -> Iterator[tuple[LineStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    stream = LineStream(loop, ours, heard, MAX_LINE, MAX_UNSENT)
    yield stream, theirs
    stream.close()
    theirs.close()


Peer = tuple[LineStream, socket.socket]


def test_lines_come_whole_however_they_were_cut(loop: Any, heard: Heard, peer: Peer) -> None:
    for byte in b'{"a":1}\n{"b":2}\n{"c"':
        peer[1].send(bytes([byte]))
        loop.turn(1)
    peer[1].send(b":3}\n")
    loop.until(lambda: len(heard.messages) == 3)
    assert heard.messages == [{"a": 1}, {"b": 2}, {"c": 3}]


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b'{"a":\n', b"[" * 90 + b"\n", b"\xff\n"])
def test_what_is_no_object_ends_the_stream(loop: Any, heard: Heard, peer: Peer, line: bytes) -> None:
    peer[1].send(line)
    loop.until(lambda: heard.ends)
    assert "not a JSON object" in heard.ends[0]
    assert heard.messages == []
    assert not peer[0].open


def test_a_line_that_is_too_long_ends_the_stream(loop: Any, heard: Heard, peer: Peer) -> None:
    peer[1].send(b"x" * (MAX_LINE + 1))
    loop.until(lambda: heard.ends)
    assert "longer than 100 bytes" in heard.ends[0]


def test_the_end_of_the_other_side_is_told_once(loop: Any, heard: Heard, peer: Peer) -> None:
    peer[1].send(b'{"last":1}\n')
    peer[1].close()
    loop.until(lambda: heard.ends)
    assert heard.messages == [{"last": 1}]
    assert heard.ends == [""]


def test_what_the_other_side_does_not_take_is_bounded(heard: Heard, peer: Peer) -> None:
    for _ in range(100_000):
        peer[0].send({"text": "x" * 1000})
        if heard.ends:
            break
    assert "not taken by the other side" in heard.ends[0]


def test_what_waits_is_sent_before_closing(loop: Any, heard: Heard, peer: Peer) -> None:
    stream, theirs = peer
    while not stream.unsent:
        stream.send({"text": "x" * 1000})
    stream.send({"text": "last"})
    stream.close_when_sent()
    received = b""
    theirs.setblocking(False)
    while not heard.ends:
        loop.turn(0.01)
        try:
            while data := theirs.recv(65536):
                received += data
        except BlockingIOError:
            pass
    assert received.endswith(b'{"text":"last"}\n') or theirs.recv(65536).endswith(b'{"text":"last"}\n')


def test_drain_hears_what_is_there_without_the_loop(heard: Heard, peer: Peer) -> None:
    peer[1].send(b'{"event":"failed"}\n')
    peer[0].drain()
    assert heard.messages == [{"event": "failed"}]
    assert peer[0].open


def test_after_close_nothing_happens(heard: Heard, peer: Peer) -> None:
    peer[0].close()
    peer[0].close()
    peer[0].send({"a": 1})
    peer[0].close_when_sent()
    peer[0].drain()
    assert peer[1].recv(10) == b""
    assert heard.ends == []


def test_a_descriptor_comes_with_its_line_or_not_at_all(peer: Peer) -> None:
    stream, theirs = peer
    with socket.socket() as given:
        assert stream.send_descriptor({"worker": 1}, given.fileno())
        data, fds, _, _ = socket.recv_fds(theirs, 1000, 4)
        assert (data, len(fds)) == (b'{"worker":1}\n', 1)
        socket.socket(fileno=fds[0]).close()
        while not stream.unsent:
            stream.send({"text": "x" * 1000})
        assert not stream.send_descriptor({"worker": 2}, given.fileno())  # it would overtake what waits
        stream.close()
        assert not stream.send_descriptor({"worker": 3}, given.fileno())
