"""One connection of a load, driven by hand. What it does in a whole load is in test_load.py."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from commscaffoldd.client.load_connection import LoadConnection
from commscaffoldd.client.load_errors import ConnectionLost, ErrorTally, Kind
from commscaffoldd.client.load_meter import Meter
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_requests import Requests
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS

STANDARD = PRESETS["standard"]
LARGE = bytes(1 << 20)  # more than the buffers of a socket pair take


class Rig:
    """A connection with one end, the server's at the other."""

    def __init__(self, body: bytes) -> None:
        near, self.server = socket.socketpair()
        self.epoll = select.epoll()
        self.meter = Meter()
        self.errors = ErrorTally()
        plan = LoadPlan(Address.parse("127.0.0.1:1"), STANDARD, body=body)
        requests = Requests(STANDARD, 1, body)
        self.connection = LoadConnection(near, self.epoll, plan, requests, self.meter, self.errors)

    def events(self) -> int:
        """What the connection is told now."""
        return sum(events for _, events in self.epoll.poll(0))

    def close(self) -> None:
        self.connection.close()
        self.server.close()
        self.epoll.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with contextlib.closing(Rig(LARGE)) as made:
        yield made


def test_what_the_socket_does_not_take_is_sent_later_and_in_order(rig: Rig) -> None:
    rig.connection.send(1)
    rig.connection.send(2)
    expected = b"".join(STANDARD.encode(1, sequence, LARGE) for sequence in (1, 2, 3))
    sent = b""
    while len(sent) < len(expected):
        sent += rig.server.recv(1 << 20)
        if rig.events() & select.EPOLLOUT:
            rig.connection.flush()
    assert sent == expected
    assert rig.meter.bytes_out == len(expected)
    assert rig.connection.unanswered == 3


def test_it_is_told_of_room_in_the_socket_only_while_something_is_unsent(rig: Rig) -> None:
    assert rig.events() == 0
    rig.connection.send(1)
    size = STANDARD.header_size + len(LARGE)
    while rig.meter.bytes_out < size:
        rig.server.recv(1 << 20)
        rig.connection.flush()
    while rig.server.recv(1 << 20, socket.MSG_DONTWAIT | socket.MSG_PEEK):
        if len(rig.server.recv(1 << 20)) < 1 << 20:
            break
    assert rig.events() == 0


def test_nothing_to_read_answers_nothing(rig: Rig) -> None:
    assert rig.connection.receive() == 0


def test_a_reply_before_the_server_went_counts_though_sending_has_failed() -> None:
    with contextlib.closing(Rig(b"small")) as rig:
        rig.connection.send(1)
        assert rig.server.recv(1024) == STANDARD.encode(1, 1, b"small")
        rig.server.sendall(STANDARD.encode(1, 1, b""))
        rig.server.close()
        rig.connection.send(1)
        assert rig.connection.receive() == 1
        with pytest.raises(ConnectionLost) as caught:
            rig.connection.receive()
    assert (caught.value.kind, caught.value.text) == (Kind.RESET, "the server reset the connection")
    assert (rig.meter.messages, rig.connection.unanswered) == (1, 1)


def test_the_end_in_the_middle_of_a_frame_is_said(rig: Rig) -> None:
    rig.server.sendall(STANDARD.encode(1, 1, b"hello")[:-1])
    rig.server.close()
    assert rig.connection.receive() == 0
    with pytest.raises(ConnectionLost, match="closed the connection in the middle of a frame"):
        rig.connection.receive()
