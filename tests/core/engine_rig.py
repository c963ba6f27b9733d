"""An engine alone, over real sockets, polled by the test itself: nothing happens that the test does not do."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from commscaffoldd.core.accept import AcceptMutex, Listener
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import Batch, Closed, wanted_engine
from commscaffoldd.core.epoll_engine import EpollEngine
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.settings import ConnectionSettings, FrameSettings
from commscaffoldd.core.slot import Ready, Slot
from tests.core.peers import Peer
from tests.core.waiting import wait_until

if TYPE_CHECKING:
    from commscaffoldd.core.native.engine import NativeEngine

Mode = Literal["mutex", "exclusive", "reuseport"]


class EngineRig:
    """An engine, its listener, its clients, and all that its batches have said so far."""

    def __init__(
        self,
        engine: EpollEngine | NativeEngine,
        endpoint: Endpoint,
        listening: socket.socket,
        flushes: list[Slot],
        unparked: list[Ready],
    ) -> None:
        self.engine = engine
        self.endpoint = endpoint
        self.listening = listening
        self.flushes = flushes
        self.unparked = unparked
        self.counters = Counters()  # a sender's
        self.opened: list[Slot] = []
        self.arrived: list[tuple[Slot, Connection, list[Frame]]] = []
        self.closed: list[Closed] = []
        self.budget = 1 << 30
        self.peers: list[Peer] = []

    @property
    def frames(self) -> list[Frame]:
        return [frame for _, _, frames in self.arrived for frame in frames]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, _, reason, _ in self.closed]

    def poll(self, timeout: float = 0.02) -> Batch:
        batch = self.engine.poll(timeout, self.budget)
        self.opened += batch.opened
        self.arrived += batch.arrived
        self.closed += batch.closed
        return batch

    def until(self, condition: Any) -> None:
        wait_until(condition, self.poll)

    def connect(self) -> Peer:
        """A client that waits to be accepted."""
        peer = Peer(socket.create_connection(self.listening.getsockname()), self.endpoint.layout)
        self.peers.append(peer)
        return peer

    def open(self) -> tuple[Peer, Slot]:
        """A client that has been accepted, and its slot."""
        peer, before = self.connect(), len(self.opened)
        self.until(lambda: len(self.opened) > before)
        return peer, self.opened[-1]

    def reply(self, slot: Slot, body: bytes, message_id: int = 1) -> bool:
        """Queue and write, as a handler and the sender would."""
        done = slot.queue(slot.generation, (message_id, 0, body))
        self.flush(slot)
        return done

    def flush(self, slot: Slot) -> None:
        self.engine.write([slot], self.counters)


def socket_of(slot: Any) -> socket.socket:
    """The server's end of a connection, under another descriptor."""
    fd = slot.fd if hasattr(slot, "fd") else slot.socket.fileno()
    return socket.socket(fileno=os.dup(fd))


def turns_in(rig: EngineRig, seconds: float) -> int:
    """How often `poll` returns in that time when it may wait for the whole of it."""
    end, turns = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        rig.poll(left)
        turns += 1
    return turns


def fill(rig: EngineRig, slot: Slot, above: int) -> int:
    """Reply until so much waits in our own memory; gives the number of replies."""
    replies = 0
    while slot.unsent <= above:
        assert rig.reply(slot, bytes(10_000))
        replies += 1
    return replies


def _engine_type() -> type[EpollEngine | NativeEngine]:
    if wanted_engine() == "python":
        return EpollEngine
    from commscaffoldd.core.native.engine import NativeEngine

    return NativeEngine


@contextlib.contextmanager
def engine_rig(
    *,
    frame: FrameSettings | None = None,
    layout: str = "standard",
    mode: Mode = "exclusive",
    lock: Path | None = None,
    listening: socket.socket | None = None,
    per_connection: int = 1000,
    **connections: Any,
) -> Iterator[EngineRig]:
    """A rig; all is closed at the end. `connections` are keys of `ConnectionSettings`."""
    own = listening is None
    listening = listening or socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setblocking(False)
    endpoint = Endpoint.make("127.0.0.1:0", PRESETS[layout], default_id=1, control_ids=False)
    flushes: list[Slot] = []
    unparked: list[Ready] = []
    mutex = AcceptMutex(lock) if lock is not None else None
    engine = _engine_type()(
        [Listener(listening, endpoint, mode)],
        frame or FrameSettings(),
        ConnectionSettings(**{"initial": 2, **connections}),
        worker=1,
        per_connection=per_connection,
        mutex=mutex,
        flush_soon=flushes.append,
        unpark=unparked.append,
    )
    rig = EngineRig(engine, endpoint, listening, flushes, unparked)
    try:
        yield rig
    finally:
        engine.close_all()
        engine.shut()
        if mutex is not None:
            mutex.close()
        for peer in rig.peers:
            peer.close()
        if own:
            listening.close()
