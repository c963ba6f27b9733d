"""The native engine: what `EpollEngine` is, with its sockets touched by `wire.Wire`, without the GIL."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from commscaffoldd.core import reasons
from commscaffoldd.core.accept import Accepted, AcceptMutex, Acceptor, Listener
from commscaffoldd.core.address import describe_peer
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import Batch, Closed
from commscaffoldd.core.engine_moving import MovingEngine
from commscaffoldd.core.framing import Frame, FrameError, bad_checksum, bad_length, bad_magic
from commscaffoldd.core.moving import Snapshot
from commscaffoldd.core.native.frames import Fault
from commscaffoldd.core.native.header import Header
from commscaffoldd.core.native.sending import SendQueue
from commscaffoldd.core.native.slot import NativeSlot
from commscaffoldd.core.native.wire import TroubleKind, Wire
from commscaffoldd.core.native.writer import Writer
from commscaffoldd.core.settings import ConnectionSettings, FrameSettings, LoginSettings
from commscaffoldd.core.slot import Ready, Reply, Slot, State
from commscaffoldd.core.tap import Tap

_FAILED: Final = int(TroubleKind.FAILED)
_ENDED: Final = int(TroubleKind.ENDED)
_FAULT: Final = int(TroubleKind.FAULT)
_UNREADY: Final = int(TroubleKind.UNREADY)
_WRITABLE: Final = int(TroubleKind.WRITABLE)
_DESCRIPTOR: Final = int(TroubleKind.DESCRIPTOR)


class NativeBatch:
    """An `engine.Batch` whose messages stay in the wire's memory until somebody asks for them."""

    __slots__ = ("_arrived", "_wire", "closed", "now", "opened")

    def __init__(self, wire: Wire, now: float, closed: list[Closed]) -> None:
        self._wire = wire
        self._arrived: list[tuple[Slot, Connection, list[Frame]]] | None = None
        self.opened: list[Slot] = []
        self.closed = closed
        self.now = now

    @property
    def arrived(self) -> list[tuple[Slot, Connection, list[Frame]]]:
        """See `engine.Batch`. To be asked for before the next poll."""
        if self._arrived is None:
            self._arrived = self._wire.arrived()
        return self._arrived


class NativeEngine(MovingEngine):
    """The native engine; see `engine.Engine` for what each method promises, and `slot.pyx` for its threads."""

    name = "native"

    def __init__(
        self,
        listeners: list[Listener],
        frame: FrameSettings,
        connections: ConnectionSettings,
        *,
        worker: int,
        per_connection: int,
        mutex: AcceptMutex | None,
        flush_soon: Callable[[Slot], None] | None = None,
        unpark: Callable[[Ready], None],
        login: LoginSettings | None = None,
    ) -> None:
        """An engine with its own epoll; to be made after the fork. See `EpollEngine`."""
        self.wire = Wire(connections.send_buffer, per_connection)
        self.send_queue = SendQueue(Writer(self.wire, self.landed))
        self._writers: list[Writer] = []  # not in use now: as many as there were threads here at the same time
        super().__init__(
            frame,
            connections,
            per_connection=per_connection,
            flush_soon=flush_soon or self.send_queue.put,
            unpark=unpark,
            login=login,
            make_slot=NativeSlot,
        )
        self._worker = worker
        self._acceptor = Acceptor(listeners, self.wire, self._accept_some, mutex, connections.max, self.counters)
        self._headers = {id(one.endpoint): _header(one.endpoint, frame) for one in listeners}
        self._open_slots: dict[Slot, None] = {}  # a set that keeps the order
        self.wire.register(self._wake_fd, select.EPOLLIN)

    # -- the reactor's thread ------------------------------------------------------------------------------

    def poll(self, timeout: float, budget: int) -> Batch:
        """See `Engine.poll`."""
        now = time.monotonic()
        if self._closed:  # between two polls: the reactor shall hear of it soon
            timeout = 0.0
        timeout = min(timeout, self._acceptor.prepare(self.pool.room, now), self._deadlines.wait(now))
        wire, counters = self.wire, self.counters
        self._full = budget <= 0
        events = wire.wait(-int(-timeout * 1000 // 1), budget)  # rounded up, as select.epoll does
        now = time.monotonic()
        batch = NativeBatch(wire, now, self._closed)
        if events:
            counters.polls += 1
            received, messages, dropped, begun, again, ended = wire.settle_reading(now)
            counters.bytes_in += received
            counters.messages_in += messages
            counters.bad_checksums += dropped
            for slot in begun:
                self._deadlines.begin_frame(slot, now, again=False)
            for slot in again:
                self._deadlines.begin_frame(slot, now, again=True)
            for slot in ended:
                self._deadlines.end_frame(slot)
        self._take_troubles(batch, budget)
        self._take_requests()
        self._enforce_deadlines(now)
        self._closed = []
        return batch  # type: ignore[return-value]  # it has all that a Batch has

    def shut(self) -> None:
        """See `Engine.shut`."""
        self.wire.shut()
        self._close_wake_fd()

    # -- any thread ----------------------------------------------------------------------------------------

    def write(self, slots: Iterable[Slot], counters: Counters) -> None:
        """See `Engine.write`."""
        try:
            writer = self._writers.pop()
        except IndexError:
            writer = Writer(self.wire, self.landed)
        for slot in writer.write(slots if type(slots) is list else list(slots), counters):
            self.send_queue.put(slot)
        self._writers.append(writer)

    def set_tap(self, tap: Tap | None) -> None:
        """See `Engine.set_tap`."""
        super().set_tap(tap)
        self.wire.tap = tap  # where the writers look

    def landed(self, freed: Iterable[NativeSlot], failed: Iterable[tuple[NativeSlot, int]]) -> None:
        """Something has been sent, or could not be. Any thread; writers call it.

        Args:
            freed: slots with which something shall go on, now that their client has read.
            failed: slots whose socket has failed, with the generation of that time.
        """
        for slot in freed:
            parked = slot.take_parked()
            self._go_on(slot, parked)
            if parked:  # the reactor looks after what waits for a business thread: see queues.pyx
                self.wake()
        for slot, generation in failed:
            # The reactor closes: it alone knows what else refers to the slot.
            self.close_soon(slot, generation, slot.end_reason or reasons.PEER_RESET, drain=False)

    def open_slots(self) -> Sequence[Slot]:
        """See `Engine.open_slots`."""
        return tuple(self._open_slots)

    # -- opening and reading: the reactor's thread ---------------------------------------------------------

    def _accept_some(self, listener: socket.socket, limit: int) -> Accepted:
        return self.wire.accept(listener.fileno(), limit)

    def _take_troubles(self, batch: NativeBatch, budget: int) -> None:
        troubles = self.wire.troubles()
        # Accepting first: a descriptor that is closed below cannot be one that was accepted in this turn.
        if self._acceptor.accepting:
            for kind, _, _, fd, _, _ in troubles:
                if kind == _DESCRIPTOR:
                    self._accept(fd, batch)
            self._acceptor.settle()
        for kind, slot, fault, first, second, head in troubles:
            if kind == _DESCRIPTOR:
                if first == self._wake_fd:
                    os.eventfd_read(self._wake_fd)
                else:
                    self._descriptor_ready(first)
            elif slot.connection is None:  # closed meanwhile by an earlier event of this turn
                continue
            elif kind == _FAULT:
                self._close_bad(slot, self._describe_fault(slot, fault, first, second), head)
            else:
                self._take_event(slot, kind, first, budget)

    def _take_event(self, slot: NativeSlot, kind: int, first: int, budget: int) -> None:
        """See `wire.TroubleKind`."""
        if kind == _WRITABLE:
            slot.unblock()
            self.write([slot], self.counters)
        elif kind == _ENDED:
            self._peer_closed(slot)
        elif kind == _FAILED:
            self.close(slot, reasons.PEER_RESET, os.strerror(first))
        elif kind == _UNREADY and slot.state is State.OPEN and not slot.paused:
            self._pause(slot, first, budget)
        elif kind == _UNREADY:
            self._read_none(slot, first)

    def _accept(self, fd: int, batch: NativeBatch) -> None:
        for client, peer, endpoint in self._acceptor.accept(fd, self.pool.room, batch.now):
            batch.opened.append(self._open(client, describe_peer(peer), endpoint, batch.now))

    def _open(self, client: int, peer: str, endpoint: Endpoint, now: float) -> Slot:
        slot = self._install(client, endpoint)
        self._introduce(slot, self._worker, peer, endpoint.address, now)
        self._begin_watching(slot)
        return slot

    def _describe_fault(self, slot: Slot, fault: int, found: int, expected: int) -> FrameError:
        endpoint = slot.endpoint
        assert endpoint is not None, "an open slot has an endpoint"
        if fault == Fault.BAD_MAGIC:
            return bad_magic(found, expected)
        if fault == Fault.BAD_LENGTH:
            return bad_length(found, endpoint.layout.body_offset, self._frame.max_body)
        if fault == Fault.BAD_CHECKSUM:
            return bad_checksum(found, expected)
        return FrameError("length", "no memory for a frame")

    # -- what EngineBase asks for --------------------------------------------------------------------------

    def _watch(self, slot: Slot, state: State, *, paused: bool) -> None:
        self.wire.set_state(slot, state, paused)

    def _cut_off(self, slot: Slot) -> list[Ready]:
        self._open_slots.pop(slot, None)
        return self.wire.cut_off(slot)

    def _end_stream(self, slot: Slot, farewell: bytes) -> bool:
        return self.wire.end_stream(slot, farewell)

    def _read_away(self, slot: Slot) -> bool:
        return self.wire.read_away(slot)

    # -- what MovingEngine asks for ------------------------------------------------------------------------

    def _freeze(self, slot: Slot) -> bool:
        return self.wire.freeze(slot)

    def _thaw(self, slot: Slot) -> None:
        slot.state = State.OPEN
        self._begin_watching(slot)

    def _snapshot(self, slot: Slot) -> Snapshot:
        endpoint = slot.endpoint
        assert endpoint is not None, "a frozen slot has an endpoint"
        outbox = slot.outbox
        unsent = b"".join([self.wire.left(slot), *(endpoint.layout.encode(*reply) for reply in outbox)])
        return Snapshot(cast("NativeSlot", slot).fd, self.wire.kept(slot), unsent, len(outbox))

    def _seal(self, slot: Slot) -> list[Reply]:
        slot.state = State.LINGERING  # see `NativeSlot.put`
        return slot.outbox

    def _install(self, fd: int, endpoint: Endpoint) -> Slot:
        slot = cast("NativeSlot", self.pool.take())
        slot.clear()
        slot.begin(fd, endpoint, self._headers[id(endpoint)])
        return slot

    def _fill(self, slot: Slot, received: bytes, unsent: bytes) -> None:
        self.wire.fill(slot, received, unsent)

    def _begin_watching(self, slot: Slot) -> None:
        self._open_slots[slot] = None
        self.wire.watch(slot)

    def _register(self, fd: int) -> None:
        self.wire.register(fd, select.EPOLLIN)

    def _unregister(self, fd: int) -> None:
        self.wire.unregister(fd)

    def _incomplete(self, slot: Slot) -> tuple[int, bytes]:
        return self.wire.incomplete(slot)


def _header(endpoint: Endpoint, frame: FrameSettings) -> Header:
    return Header(
        endpoint.layout,
        max_body=frame.max_body,
        default_id=endpoint.default_id,
        drop_bad_checksums=frame.on_bad_checksum == "drop",
    )
