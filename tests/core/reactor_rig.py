"""A reactor with its engine, pool and sender; the test's thread is the reactor's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

from commscaffoldd.core.accept import Listener
from commscaffoldd.core.assembly import Core
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import wanted_engine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.core.path import PathSettings
from commscaffoldd.core.reactor import Lifecycle
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.settings import (
    BusinessSettings,
    ConnectionSettings,
    FloodSettings,
    FrameSettings,
    LoginSettings,
    QuarantineSettings,
)
from tests.core.peers import Peer
from tests.core.waiting import wait_until

Handler = Callable[[Any], object]


def route(message_id: int, function: Handler, mode: Mode = "pool") -> Route:
    return Route(message_id, function, "test", getattr(function, "__name__", "handler"), mode)


class ReactorRig:
    """All parts; `turn` is one turn of the reactor's loop."""

    def __init__(self, core: Core, where: Any) -> None:
        self.core = core
        self.engine = core.path.engine
        self.backlog = core.path.backlog
        self.reactor = core.reactor
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
        return sum(getattr(part, name) for part in self.core.counters)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits, runs or is open any more."""
        return not self.engine.open_slots() and not self.backlog.depth


def _hook(name: str, function: Callable[[LifecycleCall], None] | None) -> Route | None:
    return function and Route(0, function, "", name, "pool")


@contextlib.contextmanager
def reactor_rig(
    *routes: Route,
    layout: Layout | None = None,
    frame: FrameSettings | None = None,
    connections: ConnectionSettings | None = None,
    business: BusinessSettings | None = None,
    flood: FloodSettings | None = None,
    quarantine: QuarantineSettings | None = None,
    login: LoginSettings | None = None,
    opened: Callable[[LifecycleCall], None] | None = None,
    closed: Callable[[LifecycleCall], None] | None = None,
    handing_over: Callable[[LifecycleCall], None] | None = None,
    adopted: Callable[[LifecycleCall], None] | None = None,
) -> Iterator[ReactorRig]:
    """A rig with running pool and sender threads; all is ended and closed at the end."""
    frame = frame or FrameSettings()
    business = business or BusinessSettings()
    layout = layout or PRESETS["standard"]
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setblocking(False)
    endpoint = Endpoint.make("127.0.0.1:0", layout, default_id=1, control_ids=frame.control_ids)
    core = Core(
        wanted_engine(),
        PathSettings(
            listeners=[Listener(listening, endpoint, "exclusive")],
            frame=frame,
            connections=connections or ConnectionSettings(initial=2),
            business=business,
            routes={one.id: one for one in routes},
            flood=FloodGate(flood) if flood else None,
            worker=1,
            mutex=None,
            quarantine=quarantine or QuarantineSettings(),
            login=login,
        ),
        Lifecycle(
            _hook("connection_opened", opened),
            _hook("connection_closed", closed),
            _hook("connection_handing_over", handing_over),
            _hook("connection_adopted", adopted),
        ),
        tick=lambda _: None,
    )
    made = ReactorRig(core, listening.getsockname())
    made.layout = layout
    core.start()
    try:
        yield made
    finally:
        busy = core.pool.stop(20)
        core.sender.stop(20)
        alive = core.sender._thread.is_alive()
        made.engine.close_all()
        made.engine.shut()
        for peer in made.peers:
            peer.close()
        listening.close()
    assert not busy, "pool threads hang"
    assert not alive, "the sender hangs"
