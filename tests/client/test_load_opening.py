from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from commscaffoldd.client.load_errors import ErrorTally, Kind
from commscaffoldd.client.load_opening import AT_ONCE, Opening
from commscaffoldd.core.address import Address


class Rig:
    def __init__(self, address: str) -> None:
        self.errors = ErrorTally()
        self.epoll = select.epoll()
        self.opening = Opening(Address.parse(address), self.epoll, self.errors)
        self.opened = [self.opening.open_first(5.0)]

    def turn(self) -> None:
        """Advance, and take what epoll reports."""
        self.opened += self.opening.advance()
        for descriptor, _ in self.epoll.poll(0.01):
            assert self.opening.has(descriptor)
            self.opening.finish(descriptor)

    def close(self) -> None:
        self.opening.close()
        for each in self.opened:
            each.close()
        self.epoll.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as made:
        yield made


@pytest.fixture
def rig(listener: socket.socket) -> Iterator[Rig]:
    with contextlib.closing(Rig(f"localhost:{listener.getsockname()[1]}")) as made:
        yield made


def test_all_that_are_wanted_are_opened_and_only_so_many_at_once(rig: Rig) -> None:
    rig.opening.want(300)
    rig.opening.advance()
    assert len(rig.epoll.poll(0, 1024)) <= AT_ONCE
    assert rig.opening.pending == 300
    while rig.opening.pending:
        rig.turn()
    assert len(rig.opened) == 301
    assert {each.getpeername() for each in rig.opened} == {rig.opened[0].getpeername()}
    assert rig.errors.counts() == []


def test_each_that_is_refused_is_counted(rig: Rig, listener: socket.socket) -> None:
    listener.close()
    rig.opening.want(3)
    while rig.opening.pending:
        rig.turn()
    (error,) = rig.errors.counts()
    assert (error.kind, error.count, error.text) == (Kind.REFUSED, 3, "cannot connect: Connection refused")


def test_those_given_up_are_counted_as_too_late(rig: Rig) -> None:
    rig.opening.want(200)
    rig.opening.advance()
    rig.opening.give_up("not connected in time")
    (error,) = rig.errors.counts()
    assert (error.kind, error.count, error.text) == (Kind.CONNECT_TIMEOUT, 200, "not connected in time")
    assert rig.opening.pending == 0
    assert rig.epoll.poll(0) == []
