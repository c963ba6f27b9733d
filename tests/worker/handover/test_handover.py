"""A whole handover between two workers' cores in one process: the socket pair is real, the master is the test."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.request import Request
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings
from commscaffoldd.worker.handover.arriving import Arrival
from commscaffoldd.worker.handover.leaving import WINDOW, Leaving, Report
from commscaffoldd.worker.handover.parcels import ParcelStream
from commscaffoldd.worker.handover.reasons import NO_ANSWER, NO_RECEIVER
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig, route
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

ECHO, SLOW = 1, 2


class Handover:
    """An old worker's core and a new one's, and what is said between them.

    Attributes:
        door: lets the slow handlers end.
        begun: counts those that have begun.
        reports: what the old worker tells the master.
    """

    def __init__(self, old: ReactorRig, new: ReactorRig, door: threading.Event, begun: threading.Semaphore) -> None:
        self.old, self.new, self.door, self.begun = old, new, door, begun
        self.reports: list[Report] = []
        ours, theirs = socket.socketpair()
        self.giving, self.taking = ParcelStream(ours), ParcelStream(theirs)
        self.leaving: Leaving | None = None

    def arrive(self, *, leaving: bool = False) -> Arrival:
        """The new worker listens."""
        (listener,) = self.new.core.reactor._engine._acceptor._by_fd.values()  # type: ignore[attr-defined]
        endpoint = listener.endpoint
        endpoints = {endpoint.address: endpoint}
        pool = self.new.core.path.connections
        return Arrival(self.taking, self.new.reactor, self.new.engine, pool, endpoints, lambda: leaving)

    def begin(self, timeout: float = 10.0, others: tuple[ParcelStream, ...] = ()) -> Leaving:
        """The old worker begins; `others`: streams to more workers than the new one."""
        slots = self.old.engine.open_slots()
        departures = self.old.core.departures
        self.leaving = Leaving(
            departures, self.old.engine, [self.giving, *others], slots, timeout, self.reports.append
        )
        self.old.reactor.call_each_turn(self.leaving.step)
        return self.leaving

    def turn(self) -> None:
        self.old.turn()
        self.new.turn()

    def until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, self.turn)

    def connect(self, count: int) -> list[Peer]:
        peers = [self.old.connect() for _ in range(count)]
        self.old.until(lambda: len(self.old.engine.open_slots()) == count)
        return peers

    @property
    def done(self) -> bool:
        return bool(self.reports) and self.reports[-1].done

    def echo(self, *peers: Peer) -> None:
        """Whoever has them serves them."""
        before = {peer: len(peer.bodies()) for peer in peers}
        for peer in peers:
            peer.send(ECHO, b"still here")
        self.until(lambda: all(len(peer.bodies()) > before[peer] for peer in peers))


@contextmanager
def handover(threads: int = 4, connections: ConnectionSettings | None = None) -> Iterator[Handover]:
    door = threading.Event()

    begun = threading.Semaphore(0)

    def slow(request: Request) -> bytes:
        begun.release()
        door.wait(20)
        return request.body

    routes = [route(ECHO, lambda request: request.body), route(SLOW, slow)]
    business = BusinessSettings(threads=threads)
    connections = connections or ConnectionSettings(initial=2)
    with (
        reactor_rig(*routes, business=business, connections=connections) as old,
        reactor_rig(*routes, business=business, connections=connections) as new,
    ):
        made = Handover(old, new, door, begun)
        try:
            yield made
        finally:
            door.set()
            made.giving.close()
            made.taking.close()


def test_all_connections_move() -> None:
    with handover() as both:
        peers = both.connect(3 * WINDOW)
        both.arrive()
        both.begin()
        both.until(lambda: both.done)
        assert both.reports[-1] == Report(moved=3 * WINDOW, left=0, kept={}, done=True)
        both.echo(*peers)


def test_pushes_that_come_late_are_waited_for_however_large_they_are() -> None:
    """More than the socket pair holds: it must not be closed before they have left."""
    with handover(connections=ConnectionSettings(initial=2, send_buffer=8_000_000)) as both:
        (peer,) = both.connect(1)
        (slot,) = both.old.engine.open_slots()
        connection = slot.connection
        assert connection is not None
        leaving = both.begin()
        wait_until(lambda: any(lane.sent for lane in leaving._lanes), both.old.turn)
        body = os.urandom(3_000_000)
        assert connection.send(ECHO, body)
        both.arrive()
        both.until(lambda: both.done and peer.bodies())
        assert peer.bodies() == [body]


def test_much_that_is_unread_and_large_sessions_move() -> None:
    """More than the socket pair holds at once, by far: parcels are sent and read in pieces."""
    with handover(connections=ConnectionSettings(initial=2, send_buffer=30_000_000)) as both:
        peers = both.connect(6)
        bodies = [os.urandom(9_000_000) for _ in peers]
        names = {"{}:{}".format(*peer.sock.getsockname()): number for number, peer in enumerate(peers)}
        for slot in both.old.engine.open_slots():
            assert slot.connection is not None
            slot.connection.session["much"] = bytes(2_000_000)
            slot.connection.send(ECHO, bodies[names[slot.connection.peer]])
        both.old.until(lambda: all(slot.blocked for slot in both.old.engine.open_slots()))
        both.arrive()
        both.begin()
        both.until(lambda: both.done)
        assert both.reports[-1].moved == 6
        both.until(lambda: all(peer.bodies() for peer in peers))
        assert [peer.bodies() for peer in peers] == [[body] for body in bodies]
        for slot in both.new.engine.open_slots():
            assert slot.connection is not None
            assert slot.connection.session == {"much": bytes(2_000_000)}


def test_a_plugin_that_closes_it_in_the_last_moment_is_obeyed_where_it_has_gone() -> None:
    with handover() as both:
        (peer,) = both.connect(1)
        (slot,) = both.old.engine.open_slots()
        departures = both.old.core.departures
        departing = departures.begin(slot)
        assert departing is not None
        wait_until(departures.step, both.old.turn)
        departing.connection.close("enough")  # the reactor has no turn before it hears that it has gone
        departures.confirm(departing)
        assert departing.close == "enough"
        peer.close()


def test_a_worker_that_stops_does_not_have_others_close_what_they_have_taken() -> None:
    with handover() as both:
        (peer,) = both.connect(1)
        leaving = both.begin()
        wait_until(lambda: any(lane.sent for lane in leaving._lanes), both.old.turn)
        (slot,) = both.old.engine.open_slots()
        both.old.engine.drain(slot, reasons.STOPPING)
        both.arrive()
        both.until(lambda: both.done)
        both.echo(peer)
        assert not peer.gone


def test_a_worker_that_stops_takes_none() -> None:
    with handover() as both:
        (peer,) = both.connect(1)
        both.arrive(leaving=True)
        both.begin()
        both.until(lambda: both.done)
        assert both.reports[-1].kept == {NO_RECEIVER: 1}
        both.echo(peer)


def test_what_a_stopped_worker_does_not_answer_is_taken_back() -> None:
    """Stopped as by SIGSTOP: it neither answers nor ends. Once it goes on, nothing of that is its any more."""
    with handover() as both:
        peers = both.connect(3)
        both.begin(timeout=0.2)
        wait_until(lambda: both.done, both.old.turn)
        assert both.reports[-1].kept == {NO_ANSWER: 3}  # after the time; before, they would go to others
        for peer in peers:
            peer.send(ECHO, b"back again")
        wait_until(lambda: all(peer.bodies() == [b"back again"] for peer in peers), both.old.turn)
        both.arrive()
        for _ in range(5):
            both.turn()
        assert both.new.total("adopted") == 0
        assert not both.new.engine.open_slots()
        both.echo(*peers)
        assert not any(peer.gone for peer in peers)


def test_what_a_stopped_worker_does_not_answer_goes_to_another() -> None:
    with handover() as both:
        peers = both.connect(2 * WINDOW + 6)
        both.arrive()
        ours, theirs = socket.socketpair()
        both.begin(others=(ParcelStream(ours),))
        both.until(lambda: both.done)
        assert both.reports[-1].moved == 2 * WINDOW + 6
        both.echo(*peers)
        theirs.close()


def test_who_was_answered_before_it_was_called_back_has_gone() -> None:
    """The answer waits in the socket when the old worker's patience ends: it counts."""
    with handover() as both:
        (peer,) = both.connect(1)
        leaving = both.begin()
        (lane,) = leaving._lanes
        wait_until(lambda: lane.sent, both.old.turn)
        both.arrive()
        wait_until(lambda: both.new.total("adopted"), both.new.turn)
        leaving._lose(lane, time.monotonic())
        assert not both.old.engine.open_slots()
        both.echo(peer)


def test_handlers_that_run_hold_nobody_else_up() -> None:
    """More of them than may be under way at once."""
    with handover(threads=WINDOW + 2) as both:
        busy = both.connect(WINDOW + 2)
        for peer in busy:
            peer.send(SLOW, b"slow")
        for _ in busy:
            both.old.until(lambda: both.begun.acquire(blocking=False))
        idle = [both.old.connect() for _ in range(5)]
        both.old.until(lambda: len(both.old.engine.open_slots()) == WINDOW + 7)
        both.arrive()
        both.begin()
        both.until(lambda: both.new.total("adopted") == 5)
        both.echo(*idle)
        both.door.set()
        both.until(lambda: both.done)
        assert both.reports[-1].moved == WINDOW + 7
        both.until(lambda: all(peer.bodies() == [b"slow"] for peer in busy))


def test_messages_that_wait_for_a_busy_thread_move() -> None:
    """All business threads run handlers for long: what they have not begun with is handled elsewhere."""
    with handover(threads=1) as both:
        peers = both.connect(4)
        peers[0].send(SLOW, b"slow")
        both.old.until(lambda: both.begun.acquire(blocking=False))
        for peer in peers[1:]:
            peer.send(ECHO, b"waits")
        both.old.until(lambda: both.old.total("messages_in") == 4)
        both.arrive()
        both.begin()
        both.until(lambda: all(peer.bodies() == [b"waits"] for peer in peers[1:]))
        assert both.new.total("adopted") == 3
        both.door.set()
        both.until(lambda: both.done and peers[0].bodies() == [b"slow"])
        both.until(lambda: both.old.backlog.depth == both.new.backlog.depth == 0)


def test_without_a_descriptor_for_it_it_stays() -> None:
    with handover() as both:
        peers = both.connect(3)
        both.arrive()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        leaving = both.begin()
        (lane,) = leaving._lanes
        wait_until(lambda: len(lane.sent) == 3, both.old.turn)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            both.until(lambda: both.done)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert both.reports[-1].kept == {"no descriptor was free for it": 3}
        both.echo(*peers)
