"""Two workers' cores, of the same engine or of different ones, between which connections move."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias
from unittest import mock

import msgspec
import pytest

from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.departures import Departing, Kept, Prepared
from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.moving import ConnectionState
from commscaffoldd.core.request import Request
from commscaffoldd.core.settings import BusinessSettings, FloodSettings, FrameSettings, LoginSettings
from commscaffoldd.core.slot import Slot
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig, route
from tests.core.waiting import wait_until

ECHO, INLINE, SLOW, CONCURRENT, SESSION = 1, 2, 3, 4, 5
LATER, LATER_INLINE, LATER_CONCURRENT = 6, 7, 8

Engines: TypeAlias = tuple[str, str]
"""The old worker's, and the new one's."""

_native_too = pytest.mark.skipif(why_no_native_engine() is not None, reason=str(why_no_native_engine()))
ENGINES = [
    pytest.param((old, new), marks=_native_too if "native" in (old, new) else (), id=f"{old}-{new}")
    for old in ("python", "native")
    for new in ("python", "native")
]


class Story:
    """Handlers and hooks, what they saw, and a door that holds slow handlers up."""

    def __init__(self) -> None:
        self.door = threading.Event()
        self.begun = threading.Semaphore(0)
        self.told: list[tuple[str, str]] = []
        self.open: list[Deferred] = []
        self.routes = [
            route(ECHO, lambda request: request.body),
            route(INLINE, lambda request: request.body, "inline"),
            route(SLOW, self.slow),
            route(CONCURRENT, self.slow, "concurrent"),
            route(SESSION, self.session),
            route(LATER, self.later),
            route(LATER_INLINE, self.later, "inline"),
            route(LATER_CONCURRENT, self.later, "concurrent"),
        ]

    def slow(self, request: Request) -> bytes:
        self.begun.release()
        self.door.wait(20)
        return request.body

    def later(self, request: Request) -> None:
        self.open.append(request.defer())

    def session(self, request: Request) -> bytes:
        session = request.connection.session
        session["number"] = session.get("number", 0) + 1
        return b"%d" % session["number"]

    def hook(self, name: str) -> Any:
        return lambda call: self.told.append((name, call.connection.id))


class Move:
    """The two cores; what moves goes through bytes, as it does between processes."""

    def __init__(self, story: Story, old: ReactorRig, new: ReactorRig) -> None:
        self.story = story
        self.old = old
        self.new = new
        self.results: list[Prepared | Kept] = []

    def turn(self) -> None:
        self.old.turn()
        self.new.turn()

    def until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, self.turn)

    # Clients

    def connect(self) -> tuple[Peer, Slot]:
        peer, before = self.old.connect(), self.old.total("accepted")
        self.old.until(lambda: self.old.total("accepted") > before)
        return peer, self.old.engine.open_slots()[-1]

    def hang(self, peer: Peer, body: bytes = b"", message_id: int = SLOW) -> None:
        """Have a handler run for this client until the story's door is opened."""
        peer.send(message_id, body)
        self.until(lambda: self.story.begun.acquire(blocking=False))

    def get(self, peer: Peer, *bodies: bytes) -> None:
        """These are the replies, no more, no less, in this order."""
        wanted = list(bodies)
        self.until(lambda: len(peer.bodies()) >= len(wanted))
        assert peer.bodies() == wanted
        assert not peer.gone

    # The old worker's side

    def begin(self, slot: Slot) -> Departing:
        departing = self.old.core.departures.begin(slot)
        assert departing is not None
        return departing

    def step(self) -> None:
        self.turn()
        self.results += self.old.core.departures.step()

    def prepared(self) -> Prepared:
        """The one connection that is leaving gets ready."""
        result = self._result()
        assert isinstance(result, Prepared)
        return result

    def kept(self) -> Kept:
        """The one connection that is leaving cannot."""
        result = self._result()
        assert isinstance(result, Kept)
        return result

    def prepare(self, slot: Slot) -> Prepared:
        """Begin, and turn until it is ready."""
        self.begin(slot)
        return self.prepared()

    def cancel(self, departing: Departing) -> None:
        self.old.core.departures.cancel(departing)

    def _result(self) -> Prepared | Kept:
        wait_until(lambda: self.results, self.step)
        return self.results.pop()

    # From the one to the other

    def adopt(self, prepared: Prepared) -> Slot:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(prepared.state), type=ConnectionState)
        endpoint = self.new.core.reactor._engine._acceptor._by_fd  # type: ignore[attr-defined]
        (listener,) = endpoint.values()
        return self.new.reactor.adopt(os.dup(prepared.fd), listener.endpoint, state)

    def hand_over(self, prepared: Prepared) -> Slot:
        """It is adopted, the old worker hears that, and what was queued late follows."""
        adopted = self.adopt(prepared)
        self.queue_late(adopted, self.old.core.departures.confirm(prepared.departing))
        return adopted

    def queue_late(self, adopted: Slot, replies: list[Frame]) -> None:
        for reply in replies:
            adopted.queue(adopted.generation, reply)
        if replies:
            self.new.engine.flush_soon(adopted)

    def move(self, slot: Slot) -> Slot:
        """All of it."""
        return self.hand_over(self.prepare(slot))


@contextmanager
def move(
    engines: Engines,
    layout: str = "standard",
    *,
    hooks: bool = False,
    flood: FloodSettings | None = None,
    login: LoginSettings | None = None,
) -> Iterator[Move]:
    """Both cores; all is ended and closed at the end."""
    story = Story()
    with ExitStack() as stack:
        rigs = []
        for engine in engines:
            with mock.patch.dict(os.environ, {VARIABLE: engine}):
                rig = reactor_rig(
                    *story.routes,
                    layout=PRESETS[layout],
                    frame=FrameSettings(max_body=10_000_000),
                    business=BusinessSettings(threads=4),
                    flood=flood,
                    login=login,
                    opened=story.hook("opened") if hooks else None,
                    closed=story.hook("closed") if hooks else None,
                    handing_over=story.hook("handing over") if hooks else None,
                    adopted=story.hook("adopted") if hooks else None,
                )
                rigs.append(stack.enter_context(rig))
        stack.callback(story.door.set)
        yield Move(story, *rigs)
