"""The engine in pure Python: select.epoll, socket, zlib. The readable reference, and the fallback.

Level-triggered throughout: what is not read or written now is reported again, so nothing is lost by stopping
early. Sockets belong to the reactor's thread; the sender only sends, under the slot's lock (see slot.py).
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from commscaffoldd.core import reasons
from commscaffoldd.core.accept import AcceptMutex, Acceptor, Listener, accept_some
from commscaffoldd.core.address import describe_peer
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import Batch
from commscaffoldd.core.engine_moving import MovingEngine
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.moving import Snapshot
from commscaffoldd.core.outflow import encode_outbox, send_chunks
from commscaffoldd.core.settings import ConnectionSettings, FrameSettings, LoginSettings
from commscaffoldd.core.slot import Ready, Reply, Slot, State

READ_SIZE: Final = 65536  # bytes read from one connection in one turn
MAX_EVENTS: Final = 512  # connections looked at in one turn

# Reading a member off an enum's class, or a name off a module, is slow, and these are read for each message.
_OPEN, _DRAINING, _LINGERING = State.OPEN, State.DRAINING, State.LINGERING
_EPOLLIN, _EPOLLOUT = select.EPOLLIN, select.EPOLLOUT
_READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR


class EpollEngine(MovingEngine):
    """The pure Python engine; see `engine.Engine` for what each method promises."""

    name = "python"

    def __init__(
        self,
        listeners: list[Listener],
        frame: FrameSettings,
        connections: ConnectionSettings,
        *,
        worker: int,
        per_connection: int,
        mutex: AcceptMutex | None,
        flush_soon: Callable[[Slot], None],
        unpark: Callable[[Ready], None],
        login: LoginSettings | None = None,
    ) -> None:
        """An engine with its own epoll; to be made after the fork.

        Args:
            listeners: what to accept from.
            frame: limits of a frame.
            connections: limits of connections.
            worker: this worker's number, part of connections' IDs.
            per_connection: messages waiting of one connection above which it is paused.
            mutex: the accept mutex, if a listener uses it.
            flush_soon: hands a slot to the sender.
            unpark: is given a slot's parked work when it may be handled again.
            login: by when clients must log in; `None`: they need not.
        """
        super().__init__(
            frame, connections, per_connection=per_connection, flush_soon=flush_soon, unpark=unpark, login=login
        )
        self._worker = worker
        self._epoll = select.epoll()
        self._acceptor = Acceptor(listeners, self._epoll, accept_some, mutex, connections.max, self.counters)
        self._by_fd: dict[int, Slot] = {}
        self._epoll.register(self._wake_fd, select.EPOLLIN)

    # -- the reactor's thread ------------------------------------------------------------------------------

    def poll(self, timeout: float, budget: int) -> Batch:
        """See `Engine.poll`."""
        now = time.monotonic()
        if self._closed:  # between two polls: the reactor shall hear of it soon
            timeout = 0.0
        timeout = min(timeout, self._acceptor.prepare(self.pool.room, now), self._deadlines.wait(now))
        events = self._epoll.poll(timeout, MAX_EVENTS)
        now = time.monotonic()
        batch = Batch(now=now, closed=self._closed)
        if events:
            self.counters.polls += 1
        self._full = budget <= 0
        # Accepting first: a descriptor that is closed below cannot be one that was accepted in this turn.
        if self._acceptor.accepting:
            watched = self._acceptor.watched
            for fd, _ in events:
                if fd in watched:
                    self._accept(fd, batch)
            self._acceptor.settle()
        self._look(events, budget, batch)
        self._take_requests()
        self._enforce_deadlines(now)
        self._closed = []
        return batch

    def _look(self, events: list[tuple[int, int]], budget: int, batch: Batch) -> None:
        """Send where sockets have become writable; read where there is something, until the budget is used up."""
        pausing = self._full
        for fd, mask in events:
            slot = self._by_fd.get(fd)
            if slot is None:  # a listener; or closed meanwhile by an earlier event of this turn
                if fd == self._wake_fd:
                    os.eventfd_read(fd)
                else:
                    self._descriptor_ready(fd)
                continue
            if mask & _EPOLLOUT:
                slot.blocked = False
                self._flush(slot, self.counters)
            # A budget used up in this turn pauses nobody: who is not read now is reported again by the next wait.
            if mask & _READABLE and (budget > 0 or pausing):
                budget -= self._read(slot, mask, budget, batch)

    def shut(self) -> None:
        """See `Engine.shut`."""
        self._epoll.close()
        self._close_wake_fd()

    # -- any thread ----------------------------------------------------------------------------------------

    def write(self, slots: Iterable[Slot], counters: Counters) -> None:
        """See `Engine.write`."""
        for slot in slots:
            self._flush(slot, counters)

    def open_slots(self) -> Sequence[Slot]:
        """See `Engine.open_slots`."""
        return tuple(self._by_fd.values())

    # -- opening and reading: the reactor's thread ---------------------------------------------------------

    def _accept(self, fd: int, batch: Batch) -> None:
        for client, peer, endpoint in self._acceptor.accept(fd, self.pool.room, batch.now):
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            batch.opened.append(self._open(client, describe_peer(peer), endpoint, batch.now))

    def _open(self, client: socket.socket, peer: str, endpoint: Endpoint, now: float) -> Slot:
        slot = self._take_slot(client, endpoint)
        self._introduce(slot, self._worker, peer, endpoint.address, now)
        self._begin_watching(slot)
        return slot

    def _take_slot(self, client: socket.socket, endpoint: Endpoint) -> Slot:
        slot = self.pool.take()
        slot.clear()
        slot.socket = client
        slot.endpoint = endpoint
        slot.reader = FrameReader(
            endpoint.layout,
            self._frame.max_body,
            default_id=endpoint.default_id,
            drop_bad_checksums=self._frame.on_bad_checksum == "drop",
        )
        return slot

    def _read(self, slot: Slot, mask: int, budget: int, batch: Batch) -> int:
        """Read once from a connection; give the number of messages."""
        if slot.state is not _OPEN or slot.paused:
            self._read_none(slot, mask)
            return 0
        if budget <= 0 or slot.unsent > self.send_buffer or slot.waiting > self._per_connection:
            self._pause(slot, mask, budget)
            return 0
        client, reader = slot.socket, slot.reader
        assert client is not None, "an open slot has a socket"
        assert reader is not None, "an open slot has a reader"
        try:
            data = client.recv(READ_SIZE)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.close(slot, reasons.PEER_RESET, str(error.strerror))
            return 0
        if not data:
            self._peer_closed(slot)
            return 0
        dropped, head = reader.dropped, reader.head
        frames, error_found = reader.feed(data)
        self.counters.bytes_in += len(data)
        self.counters.bad_checksums += reader.dropped - dropped
        if frames:
            slot.last_seen = batch.now
            slot.messages_in += len(frames)
            self.counters.messages_in += len(frames)
            assert slot.connection is not None, "an open slot has a connection"
            batch.arrived.append((slot, slot.connection, frames))
        if error_found is not None:
            self._close_bad(slot, error_found, head + data)
        elif reader.buffered:
            self._deadlines.begin_frame(slot, batch.now, again=bool(frames) or reader.dropped > dropped)
        elif self._deadlines.frames:
            self._deadlines.end_frame(slot)
        return len(frames)

    # -- writing: the sender's thread and the reactor's ----------------------------------------------------

    def _flush(self, slot: Slot, counters: Counters) -> None:
        with slot.lock:
            client = slot.socket
            if client is None or slot.blocked:
                return
            if slot.outbox:
                if (tap := self.tap) is not None:
                    tap.sent(slot, slot.connection, slot.outbox)
                encode_outbox(slot, counters)
            try:
                slot.blocked = not send_chunks(slot, client, counters)
            except OSError:
                # The reactor closes: it alone knows what else refers to the slot.
                self.close_soon(slot, slot.generation, slot.end_reason or reasons.PEER_RESET, drain=False)
                return
            if slot.blocked or slot.interest != _EPOLLIN:
                self._arm(slot)
            if slot.unsent > self.send_buffer:
                return
            slot.over_since = 0.0
            parked: Sequence[Ready] = ()
            if slot.parked:  # taken away, under the lock: another thread may park something as soon as it is free
                parked, slot.parked = slot.parked, []
        if parked or slot.paused or slot.state is _DRAINING:  # asked here: for most it is nothing
            self._go_on(slot, parked)

    # -- what EngineBase asks for --------------------------------------------------------------------------

    def _arm(self, slot: Slot) -> None:
        # Called with the slot's lock held.
        reading = (slot.state is _OPEN and not slot.paused) or slot.state is _LINGERING
        interest = (_EPOLLIN if reading else 0) | (_EPOLLOUT if slot.blocked else 0)
        if interest != slot.interest and slot.socket is not None:
            slot.interest = interest
            self._epoll.modify(slot.socket.fileno(), interest)

    def _watch(self, slot: Slot, state: State, *, paused: bool) -> None:
        with slot.lock:
            slot.state, slot.paused = state, paused
            self._arm(slot)

    def _cut_off(self, slot: Slot) -> list[Ready]:
        with slot.lock:
            slot.generation += 1
            slot.outbox, slot.unsent, slot.over_since = [], 0, 0.0
            parked, slot.parked = slot.parked, []
            client, slot.socket = slot.socket, None
            assert client is not None, "an open slot has a socket"
            slot.chunks, slot.reader = [], None
            fd = client.fileno()
            if slot.interest >= 0:
                self._epoll.unregister(fd)
            client.close()
            del self._by_fd[fd]
        return parked

    def _end_stream(self, slot: Slot, farewell: bytes) -> bool:
        with slot.lock:
            if slot.unsent:  # under the lock: a push may come at any time until the state forbids it
                return False
            slot.state = State.LINGERING
            assert slot.socket is not None, "a draining slot has a socket"
            if farewell:
                with contextlib.suppress(OSError):  # the socket may be full: the farewell is a courtesy
                    slot.socket.send(farewell)
            with contextlib.suppress(OSError):  # gone already: the next event says so
                slot.socket.shutdown(socket.SHUT_WR)
            self._arm(slot)
            return True

    def _read_away(self, slot: Slot) -> bool:
        assert slot.socket is not None, "a lingering slot has a socket"
        try:
            return not slot.socket.recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            return True

    # -- what MovingEngine asks for ------------------------------------------------------------------------

    def _freeze(self, slot: Slot) -> bool:
        with slot.lock:  # so nobody is just writing
            assert slot.socket is not None, "an open slot has a socket"
            slot.state = State.MOVING
            slot.blocked = True  # nobody begins to write
            slot.interest = -1
            self._epoll.unregister(slot.socket.fileno())
        return True

    def _thaw(self, slot: Slot) -> None:
        with slot.lock:
            slot.state = State.OPEN
            self._begin_watching(slot)

    def _snapshot(self, slot: Slot) -> Snapshot:
        client, reader, endpoint = slot.socket, slot.reader, slot.endpoint
        assert client is not None, "a frozen slot has a socket"
        assert reader is not None, "a frozen slot has a reader"
        assert endpoint is not None, "a frozen slot has an endpoint"
        with slot.lock:
            outbox = tuple(slot.outbox)
            unsent = b"".join([*slot.chunks, *(endpoint.layout.encode(*reply) for reply in outbox)])
        return Snapshot(client.fileno(), reader.kept, unsent, len(outbox))

    def _seal(self, slot: Slot) -> list[Reply]:
        with slot.lock:
            slot.state = State.LINGERING  # see `Slot.queue`
            return slot.outbox

    def _install(self, fd: int, endpoint: Endpoint) -> Slot:
        client = socket.socket(fileno=fd)
        client.setblocking(False)
        return self._take_slot(client, endpoint)

    def _fill(self, slot: Slot, received: bytes, unsent: bytes) -> None:
        assert slot.reader is not None, "a slot in use has a reader"
        slot.reader.keep(received)
        if unsent:
            slot.chunks = [unsent]
            slot.unsent = len(unsent)
            slot.blocked = True  # epoll says at once that it is not

    def _begin_watching(self, slot: Slot) -> None:
        assert slot.socket is not None, "a slot in use has a socket"
        fd = slot.socket.fileno()
        slot.interest = _EPOLLIN | (_EPOLLOUT if slot.blocked else 0)
        self._by_fd[fd] = slot
        self._epoll.register(fd, slot.interest)

    def _register(self, fd: int) -> None:
        self._epoll.register(fd, _EPOLLIN)

    def _unregister(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def _incomplete(self, slot: Slot) -> tuple[int, bytes]:
        return (slot.reader.buffered, slot.reader.head) if slot.reader is not None else (0, b"")
