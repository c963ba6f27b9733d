"""The native core under stress: many threads, clients that come and go at any moment, every reply checked, no leaks.

`make stress` runs this with sanitizers, and longer (`COMMSCAFFOLDD_STRESS`: how many connections).
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from commscaffoldd.core.request import Request
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig, route

if TYPE_CHECKING:
    from commscaffoldd.core.native.engine import NativeEngine

pytestmark = pytest.mark.skipif(why_no_native_engine() is not None, reason=str(why_no_native_engine()))

POOL, INLINE, CONCURRENT, NAP, LARGE, QUIET, LEAVE, PUSH = range(1, 9)
ORDERED = {POOL, INLINE, NAP, LARGE, LEAVE}
CONNECTIONS = int(os.environ.get("COMMSCAFFOLDD_STRESS", "600"))
AT_ONCE = 24
MOST_OUTSTANDING = 200
PATIENCE = 45.0 + CONNECTIONS / 10  # seconds
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
LARGE_BODY = bytes(range(256)) * 80


class Server:
    """The handlers, and a thread that pushes to whoever has spoken, and lets slots be used again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Connection] = {}
        self._nap = threading.Event()
        self._over = threading.Event()
        self._chance = random.Random(2)

    def handle(self, request: Request) -> bytes | None:
        self._known[request.body[:8]] = request.connection
        if request.id == NAP:
            self._nap.wait(self._chance.random() / 500)
        elif request.id == LARGE:
            return LARGE_BODY
        elif request.id == QUIET:
            return None
        elif request.id == LEAVE:
            request.connection.close()
        return request.body

    def push(self, rig: ReactorRig) -> None:
        while not self._over.wait(0.0005):
            rig.core.path.connections.recycle(time.monotonic())
            # Copied in one step: making a list of pairs may let other threads in, which enter new ones.
            if known := list(self._known.copy().items()):
                for tag, connection in self._chance.choices(known, k=5):
                    connection.send(PUSH, tag)
                    if not connection.is_open:
                        self._known.pop(tag, None)

    @contextmanager
    def pushing(self, rig: ReactorRig) -> Iterator[None]:
        thread = threading.Thread(target=self.push, args=(rig,))
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self._known.clear()


class Client:
    """One client: what it has asked for, and whether what it gets is that."""

    def __init__(self, peer: Peer, number: int, chance: random.Random) -> None:
        self.peer = peer
        self.tag = b"%08d" % number
        self.over = False
        self._chance = chance
        self._waits: dict[int, tuple[int, bytes]] = {}  # by sequence
        self._ordered: list[int] = []  # sequences, in the order in which replies must come
        self._sequence = 0
        self._unsent = b""
        self._ending = ""  # how it has begun to end

    def act(self) -> None:
        """Do one thing, and look at what has come."""
        doing = self._chance.random()
        if not self._ending and not self._unsent:
            if doing < 0.05:
                self._end()
            elif doing < 0.6 and len(self._waits) < MOST_OUTSTANDING:
                self._ask(self._chance.choice((1, 3, 30)))
        self._push_on()
        if doing > 0.3:  # else it reads slowly
            self.peer.pump(self._chance.choice((100, 70_000, 1 << 30)))
        self._check()

    def finish(self) -> None:
        if not self._ending and not self._unsent:
            self._half_close()
        self.act()

    def _ask(self, count: int) -> None:
        asked = []
        for _ in range(count):
            kind = self._chance.choice((POOL, POOL, INLINE, INLINE, CONCURRENT, NAP, LARGE, QUIET))
            asked.append(self._request(kind))
        self._unsent = b"".join(asked)

    def _request(self, kind: int) -> bytes:
        self._sequence += 1
        body = self.tag + b"%d." % self._sequence + bytes(self._chance.choice((0, 10, 2000, 9000)))
        if kind != QUIET:
            self._waits[self._sequence] = kind, LARGE_BODY if kind == LARGE else body
        if kind in ORDERED:
            self._ordered.append(self._sequence)
        return self.peer.encode(kind, body, self._sequence)

    def _push_on(self) -> None:
        try:
            self._unsent = self._unsent[self.peer.send_some(self._unsent) :] if self._unsent else b""
        except ConnectionError:
            assert self._ending == "leaving"
            self._unsent = b""

    def _end(self) -> None:
        how = self._chance.choice(("close", "abort", "abort in a frame", "half-close", "half-close", "leave"))
        if how == "half-close":
            self._half_close()
        elif how == "leave":
            self._ending = "leaving"
            self._unsent = self._request(LEAVE)
        else:
            if how == "abort in a frame":
                self.peer.send_some(self._request(POOL)[:-3])
            (self.peer.close if how == "close" else self.peer.abort)()
            self.over = True

    def _half_close(self) -> None:
        self._ending = "half-closed"
        self.peer.half_close()

    def _check(self) -> None:
        if self.over:
            return
        frames, self.peer.frames = self.peer.frames, []
        for message_id, sequence, body in frames:
            if message_id == PUSH:
                assert body == self.tag, "a push for somebody else"
                continue
            assert self._waits.pop(sequence) == (message_id, body)
            if message_id in ORDERED:
                assert self._ordered.pop(0) == sequence
        assert not self.peer.reset, "nobody may lose replies"
        if self.peer.ended:
            assert self._ending, "closed, and nobody has asked for it"
            # Whoever has been closed by a plugin may miss what handlers on other threads still had in their hands.
            assert not self._ordered
            assert not self._waits or self._ending == "leaving"
            self.peer.close()
            self.over = True


@contextmanager
def hectic_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def let_clients_come_and_go(rig: ReactorRig, connections: int, chance: random.Random) -> None:
    """Until so many have come and all have gone."""
    deadline = time.monotonic() + PATIENCE
    came = 0
    clients: list[Client] = []
    while came < connections or clients:
        assert time.monotonic() < deadline, f"{came} clients came, {len(clients)} never ended"
        while came < connections and len(clients) < AT_ONCE:
            came += 1
            clients.append(Client(rig.connect(), came, chance))
        rig.turn()
        for client in clients:
            client.act() if came < connections else client.finish()
        clients = [client for client in clients if not client.over]
        rig.peers = [client.peer for client in clients]
    rig.until(lambda: rig.quiet)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def count_objects() -> Counter[str]:
    gc.collect()
    kinds = {"Connection", "NativeRequest", "NativeSlot", "LifecycleCall"}
    return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in kinds)


def serve_everybody() -> int:
    """All clients, one core; gives the bytes by which the memory has grown during the second half of them."""
    chance = random.Random(1)
    server = Server()
    told: list[str] = []
    modes: dict[int, Any] = {INLINE: "inline", CONCURRENT: "concurrent"}
    with reactor_rig(
        *(route(kind, server.handle, modes.get(kind, "pool")) for kind in range(1, PUSH)),
        connections=ConnectionSettings(initial=2, send_buffer=400_000, recycle_delay=0.01, slow_reader_timeout=600),
        business=BusinessSettings(threads=8, queue=20_000, per_connection=50),
        opened=lambda _: told.append("opened"),
        closed=lambda _: told.append("closed"),
    ) as rig:
        with server.pushing(rig):
            let_clients_come_and_go(rig, CONNECTIONS // 2, chance)
            before = resident()
            let_clients_come_and_go(rig, CONNECTIONS // 2, chance)
            grown = resident() - before
        rig.until(lambda: not rig.backlog.depth)
        check_slots(rig)
        accepted = rig.total("accepted")
        assert accepted == rig.total("closed")
        assert Counter(told) == {"opened": accepted, "closed": accepted}
        assert rig.total("slow_readers") == rig.total("bad_frames") == rig.total("handler_errors") == 0
    return grown


def check_slots(rig: ReactorRig) -> None:
    pool = rig.core.path.connections
    engine = cast("NativeEngine", rig.engine)
    slots: list[Any] = [*pool._free, *(slot for _, slot in pool._cooling)]
    assert len(slots) == pool.made
    for slot in slots:
        assert slot.outbox == slot.pending == slot.parked == []
        assert (slot.unsent, slot.running_concurrent, slot.owned, slot.fd) == (0, 0, False, -1)
        assert engine._incomplete(slot) == (0, b"")


@pytest.mark.timeout(3 * PATIENCE)
def test_everybody_is_served_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "native")
    from commscaffoldd.core.native import engine

    assert not SANITIZED or "build/debug/" in engine.__file__, "not the build that shall be tested"
    descriptors, objects = open_descriptors(), count_objects()
    references = sys.getrefcount(LARGE_BODY)
    with hectic_switching():
        grown = serve_everybody()
    assert open_descriptors() == descriptors
    assert count_objects() == objects
    assert sys.getrefcount(LARGE_BODY) == references
    assert SANITIZED or grown < 8_000_000
