"""Orders to hand connections over, as the master sends them; the test is the master."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from commscaffoldd.core.request import Request
from commscaffoldd.worker.handover.orders import Orders
from tests.core.reactor_rig import ReactorRig, reactor_rig, route
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

ECHO, SLOW = 1, 2


class Master:
    """The master's end of two workers' orders.

    Attributes:
        told: what the workers have said of their handovers.
    """

    def __init__(self, old: ReactorRig, new: ReactorRig) -> None:
        self.old, self.new = old, new
        self.told: list[Mapping[str, Any]] = []
        self.theirs: list[socket.socket] = []
        self.ends: list[socket.socket] = []
        for rig in (old, new):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.ends.append(ours)
            self.theirs.append(theirs)
            (listener,) = rig.core.reactor._engine._acceptor._by_fd.values()  # type: ignore[attr-defined]
            endpoints = {listener.endpoint.address: listener.endpoint}
            Orders(theirs, rig.core, endpoints, self.told.append, lambda *_: None)

    def hand_over(self, number: int, count: int | None, timeout: float = 10.0) -> None:
        giving, taking = socket.socketpair()
        with giving, taking:
            order = {"order": "hand over", "number": number, "count": count, "timeout": timeout}
            socket.send_fds(self.ends[0], [json.dumps(order).encode()], [giving.fileno()])
            socket.send_fds(self.ends[1], [json.dumps({"order": "adopt"}).encode()], [taking.fileno()])

    def turn(self) -> None:
        self.old.turn()
        self.new.turn()

    def has_closed_all_streams(self) -> bool:
        """Whether both workers watch nothing but their orders any more."""
        return all(len(rig.engine._descriptors) == 1 for rig in (self.old, self.new))  # type: ignore[attr-defined]

    def done(self, number: int) -> bool:
        return any(one["number"] == number and one["done"] for one in self.told)


@contextmanager
def master() -> Iterator[tuple[Master, threading.Event]]:
    door = threading.Event()

    def slow(request: Request) -> bytes:
        door.wait(20)
        return request.body

    routes = [route(ECHO, lambda request: request.body), route(SLOW, slow)]
    with reactor_rig(*routes) as old, reactor_rig(*routes) as new:
        made = Master(old, new)
        try:
            yield made, door
            door.set()
            wait_until(made.has_closed_all_streams, made.turn)
        finally:
            door.set()
            for sock in (*made.ends, *made.theirs):
                sock.close()


def test_so_many_as_are_ordered_go() -> None:
    with master() as (it, _):
        peers = [it.old.connect() for _ in range(5)]
        it.old.until(lambda: len(it.old.engine.open_slots()) == 5)
        it.hand_over(1, 2)
        wait_until(lambda: it.done(1), it.turn)
        assert it.new.total("adopted") == 2
        for peer in peers:
            peer.send(ECHO, b"x")
        wait_until(lambda: all(peer.bodies() == [b"x"] for peer in peers), it.turn)


def test_a_later_order_cuts_an_earlier_one_short() -> None:
    """A reload in the middle of a rebalancing that waits for a handler."""
    with master() as (it, door):
        peer = it.old.connect()
        it.old.until(it.old.engine.open_slots)
        peer.send(SLOW, b"slow")
        it.old.until(lambda: it.old.backlog.depth == 1)
        it.hand_over(1, 1)
        for _ in range(5):
            it.turn()
        it.hand_over(2, None)
        wait_until(lambda: it.done(1), it.turn)
        assert not it.done(2)
        door.set()
        wait_until(lambda: it.done(2), it.turn)
        assert it.new.total("adopted") == 1
        wait_until(lambda: peer.bodies() == [b"slow"], it.turn)


def test_a_program_that_a_plugin_starts_holds_no_stream_open() -> None:
    with master() as (it, _):
        it.hand_over(1, 0)
        wait_until(lambda: _waiting(it), lambda: it.old.engine.poll(0.01, 100))
        ((_, streams),) = _waiting(it)
        assert [os.get_inheritable(stream.fileno()) for stream in streams] == [False]
        wait_until(lambda: it.done(1), it.turn)


def _waiting(it: Master) -> Any:
    ready = next(iter(it.old.engine._descriptors.values()))  # type: ignore[attr-defined]
    return ready.__self__._waiting
