"""A reactor with its engine, pool and sender; the test's thread is the reactor's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

from commscaffoldd.core.accept import Listener
from commscaffoldd.core.business_pool import BusinessPool, ReadyQueue
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.epoll_engine import EpollEngine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.core.reactor import Lifecycle, Reactor
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.sender import Sender, SendQueue
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings, FloodSettings, FrameSettings
from tests.core.peers import Peer
from tests.core.waiting import wait_until

Handler = Callable[[Any], object]


def route(message_id: int, function: Handler, mode: Mode = "pool") -> Route:
    return Route(message_id, function, "test", getattr(function, "__name__", "handler"), mode)


class ReactorRig:
    """All parts; `turn` is one turn of the reactor's loop."""

    def __init__(self, engine: EpollEngine, reactor: Reactor, pool: BusinessPool, sender: Sender, where: Any) -> None:
        self.engine = engine
        self.reactor = reactor
        self.pool = pool
        self.sender = sender
        self.where = where
        self.peers: list[Peer] = []
        self.layout: Layout = PRESETS["standard"]

    def turn(self) -> None:
        self.reactor._turn(0.01)

    def until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, self.turn)

    def connect(self) -> Peer:
        peer = Peer(socket.create_connection(self.where), self.layout)
        self.peers.append(peer)
        return peer

    def total(self, name: str) -> int:
        """A counter's sum over all threads."""
        parts = [self.reactor.counters, self.engine.counters, self.sender.counters, *self.pool.counters]
        return sum(getattr(part, name) for part in parts)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits, runs or is open any more."""
        return not self.engine.open_slots() and not self.pool.depth


@contextlib.contextmanager
def reactor_rig(
    *routes: Route,
    layout: Layout | None = None,
    frame: FrameSettings | None = None,
    connections: ConnectionSettings | None = None,
    business: BusinessSettings | None = None,
    flood: FloodSettings | None = None,
    opened: Callable[[LifecycleCall], None] | None = None,
    closed: Callable[[LifecycleCall], None] | None = None,
) -> Iterator[ReactorRig]:
    """A rig with running pool and sender threads; all is ended and closed at the end."""
    frame = frame or FrameSettings()
    business = business or BusinessSettings()
    layout = layout or PRESETS["standard"]
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setblocking(False)
    endpoint = Endpoint.make("127.0.0.1:0", layout, default_id=1, control_ids=frame.control_ids)
    send_queue = SendQueue()
    ready: ReadyQueue = SimpleQueue()
    engine = EpollEngine(
        [Listener(listening, endpoint, "exclusive")],
        frame,
        connections or ConnectionSettings(initial=2),
        worker=1,
        per_connection=business.per_connection,
        mutex=None,
        flush_soon=send_queue.put,
        unpark=ready.put,
    )
    runner = HandlerRunner(FailureLog())
    pool = BusinessPool(
        business,
        ready,
        send_queue,
        engine,
        runner,
        lambda slot: reactor.hand_back(slot),  # noqa: PLW0108  # the reactor is made below
    )
    reactor = Reactor(
        engine,
        pool,
        runner,
        {one.id: one for one in routes},
        flood=FloodGate(flood) if flood else None,
        lifecycle=Lifecycle(
            opened and Route(0, opened, "", "connection_opened", "pool"),
            closed and Route(0, closed, "", "connection_closed", "pool"),
        ),
        close_unknown=frame.on_unknown_id == "close",
        tick=lambda _: None,
    )
    sender = Sender(send_queue, engine)
    made = ReactorRig(engine, reactor, pool, sender, listening.getsockname())
    made.layout = layout
    pool.start()
    sender.start()
    try:
        yield made
    finally:
        busy = pool.stop(20)
        sender.stop(20)
        alive = sender._thread.is_alive()
        engine.close_all()
        engine.shut()
        for peer in made.peers:
            peer.close()
        listening.close()
    assert not busy, "pool threads hang"
    assert not alive, "the sender hangs"
