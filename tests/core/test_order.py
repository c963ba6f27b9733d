"""Order: replies of one connection come in the order of its requests, whatever threads its handlers run on."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from commscaffoldd.core.event_loop import EventLoop
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings
from tests.core.peers import Peer
from tests.core.reactor_rig import reactor_rig, route
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

CLIENTS = 40
MESSAGES = 250
POOL, POOL_SLOW, INLINE, QUIET, QUIET_INLINE, CONCURRENT, ASYNC, DEFERRED = range(1, 9)
IN_ORDER = (POOL, POOL_SLOW, INLINE, ASYNC, DEFERRED)
ALL = (*IN_ORDER, QUIET, QUIET_INLINE, CONCURRENT)


@pytest.fixture
def _hectic_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    yield
    sys.setswitchinterval(interval)


class Witness:
    """The handlers and hooks: they see who runs at the same time, and in which order."""

    def __init__(self, chance: random.Random, others: Executor) -> None:
        self._others = others
        self.overlaps: list[str] = []
        self.handled: defaultdict[str, list[int]] = defaultdict(list)
        self.story: defaultdict[str, list[str]] = defaultdict(list)
        self._running: defaultdict[str, int] = defaultdict(int)
        self._chance = chance
        self._nap = threading.Event()

    def handle(self, request: Request) -> bytes:
        name = request.connection.id
        self._running[name] += 1
        if self._running[name] != 1:
            self.overlaps.append(name)
        if request.id == POOL_SLOW:
            self._nap.wait(self._chance.random() / 1000)
        self.handled[name].append(request.sequence)
        self._running[name] -= 1
        return request.body

    def handle_quietly(self, request: Request) -> None:
        self.handle(request)

    async def handle_async(self, request: Request) -> bytes:
        await asyncio.sleep(self._chance.choice((0, 0.001)))
        return self.handle(request)

    def handle_later(self, request: Request) -> None:
        deferred = request.defer()
        self._others.submit(lambda: deferred.reply(self.handle(request)))

    def note(self, call: LifecycleCall) -> None:
        self.story[call.connection.id].append(call.reason or "opened")


class Talker:
    """A client that sends and reads whenever it likes, in pieces of any size."""

    def __init__(self, peer: Peer, chance: random.Random) -> None:
        self.peer = peer
        self._chance = chance
        ids = [chance.choice(ALL) for _ in range(MESSAGES)]
        frames = [peer.encode(which, bytes(chance.choice((0, 10, 500))), n) for n, which in enumerate(ids)]
        self._wire = b"".join(frames)
        self._half_closed = False
        self.expected = [n for n, which in enumerate(ids) if which in IN_ORDER]
        self.concurrent = {n for n, which in enumerate(ids) if which == CONCURRENT}

    def go_on(self) -> None:
        chance = self._chance
        if self._wire and chance.random() < 0.5:
            self._wire = self._wire[self.peer.send_some(self._wire[: chance.choice((1, 17, 700, 20_000))]) :]
        elif not self._wire and not self._half_closed and chance.random() < 0.1:
            self.peer.half_close()
            self._half_closed = True
        if chance.random() < 0.6:
            self.peer.pump(at_most=chance.choice((50, 5000, 100_000)))

    @property
    def satisfied(self) -> bool:
        return len(self.peer.frames) == len(self.expected) + len(self.concurrent)

    def check(self) -> None:
        got = [sequence for _, sequence, _ in self.peer.frames]
        assert [n for n in got if n not in self.concurrent] == self.expected
        assert {n for n in got if n in self.concurrent} == self.concurrent


def echo(request: Request) -> bytes:
    return request.body


@pytest.mark.usefixtures("_hectic_switching")
@pytest.mark.parametrize("seed", range(4))
def test_replies_are_in_order_and_handlers_of_one_connection_run_one_at_a_time(seed: int) -> None:
    chance = random.Random(seed)
    others = ThreadPoolExecutor(2)
    witness = Witness(chance, others)
    event_loop = EventLoop()
    event_loop.start()
    with (
        others,
        reactor_rig(
            route(POOL, witness.handle),
            route(POOL_SLOW, witness.handle),
            route(INLINE, witness.handle, "inline"),
            route(QUIET, witness.handle_quietly),
            route(QUIET_INLINE, witness.handle_quietly, "inline"),
            route(CONCURRENT, echo, "concurrent"),
            route(ASYNC, event_loop.launcher(witness.handle_async), "async"),
            route(DEFERRED, witness.handle_later, "inline"),
            connections=ConnectionSettings(initial=4, send_buffer=3000, slow_reader_timeout=600),
            business=BusinessSettings(threads=4, queue=60, per_connection=8),
            opened=witness.note,
            closed=witness.note,
        ) as rig,
    ):
        talkers = [Talker(rig.connect(), chance) for _ in range(CLIENTS)]

        def push() -> None:
            for talker in talkers:
                talker.go_on()
            rig.turn()

        wait_until(lambda: all(talker.satisfied for talker in talkers), push)
        for talker in talkers:
            talker.check()
            talker.peer.close()
        rig.until(lambda: rig.quiet)
    assert event_loop.stop(20)
    assert witness.overlaps == []
    assert all(sequences == sorted(sequences) for sequences in witness.handled.values())
    assert len(witness.story) == CLIENTS
    assert all(told == ["opened", "closed by peer"] for told in witness.story.values())
