"""What every engine does in the same way when a connection moves from one worker to another.

    hold ──► freeze ──► snapshot ──► seal ──► release        the other worker has it
      │         └─────► thaw                                 it stays
      └───────────────► let_go                               it stays

A held connection is not read from, and none of its messages is begun; a frozen one is not written to either. Until
it is sealed, what others queue for it waits in its outbox, and so does a wish to close it.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine_base import EngineBase
from commscaffoldd.core.moving import ConnectionState, Snapshot
from commscaffoldd.core.session import unpack_user
from commscaffoldd.core.slot import Ready, Reply, Slot, State


class MovingEngine(EngineBase):
    """An engine whose connections can move. The reactor's thread calls all of it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # as EngineBase takes them
        """See `EngineBase`."""
        super().__init__(*arguments, **named)
        self._descriptors: dict[int, Callable[[], None]] = {}

    # -- what an engine proper does ------------------------------------------------------------------------

    @abstractmethod
    def _freeze(self, slot: Slot) -> bool:
        """Set the state to MOVING, watch and write no more; not while somebody writes. One step for others."""

    @abstractmethod
    def _thaw(self, slot: Slot) -> None:
        """Set the state to OPEN, watch again, for reading and writing."""

    @abstractmethod
    def _snapshot(self, slot: Slot) -> Snapshot:
        """What a frozen slot holds."""

    @abstractmethod
    def _seal(self, slot: Slot) -> list[Reply]:
        """Let nothing be queued any more; give the whole outbox. One step for others."""

    @abstractmethod
    def _install(self, fd: int, endpoint: Endpoint) -> Slot:
        """Take a slot for a client's descriptor, which it owns from now on."""

    @abstractmethod
    def _fill(self, slot: Slot, received: bytes, unsent: bytes) -> None:
        """Give a slot that has just been installed the beginning of a frame, and bytes to send."""

    @abstractmethod
    def _begin_watching(self, slot: Slot) -> None:
        """Watch a slot that is complete now."""

    @abstractmethod
    def _register(self, fd: int) -> None:
        """Watch a descriptor that is no connection for reading; `poll` calls `_descriptor_ready` for it."""

    @abstractmethod
    def _unregister(self, fd: int) -> None:
        """Watch it no more."""

    # -- descriptors that are no connections ---------------------------------------------------------------

    def watch_descriptor(self, fd: int, ready: Callable[[], None]) -> None:
        """Have `poll` call this whenever there is something to read. Raises OSError."""
        self._register(fd)
        self._descriptors[fd] = ready

    def unwatch_descriptor(self, fd: int) -> None:
        """Watch it no more; to be called before it is closed."""
        if self._descriptors.pop(fd, None) is not None:
            self._unregister(fd)

    def _descriptor_ready(self, fd: int) -> None:
        ready = self._descriptors.get(fd)
        if ready is not None:
            ready()

    # -- leaving -------------------------------------------------------------------------------------------

    def hold(self, slot: Slot) -> bool:
        """Read from it no more, and have none of its messages begun; `False` if it is ending already."""
        if slot.state is not State.OPEN or slot.connection is None or slot.asked_to_end == slot.generation:
            return False
        slot.leaving = True
        if slot.paused:  # it was not silent: we did not listen
            slot.last_seen = time.monotonic()
        self._paused.discard(slot)
        self._watch(slot, State.OPEN, paused=True)
        return True

    def let_go(self, slot: Slot) -> None:
        """It stays: read from a held slot again."""
        slot.leaving = False
        self._resume(slot)

    def freeze(self, slot: Slot) -> Snapshot | None:
        """Write to it no more, and say what it holds; `None` if somebody is just writing: try again soon."""
        if not self._freeze(slot):
            return None
        self._deadlines.forget(slot)
        return self._snapshot(slot)

    def thaw(self, slot: Slot) -> None:
        """It stays: go on with a frozen slot as if nothing had been. A wish to close it is fulfilled now."""
        now = time.monotonic()
        received = self._snapshot(slot).received
        slot.leaving = slot.paused = False
        slot.last_seen = now
        self._thaw(slot)
        if received:
            self._deadlines.begin_frame(slot, now, again=True)
        if slot.over_since:
            slot.over_since = now
            self._deadlines.watch_slow(slot)
        if slot.connection is not None:
            self._await_login(slot, slot.connection, now)
        if slot.end_reason:
            self.drain(slot, slot.end_reason, slot.end_detail)

    def seal(self, slot: Slot, queued: int) -> list[Reply]:
        """Nothing can be queued any more: the other worker has it. Gives what came after the snapshot."""
        self.counters.messages_out += queued  # they are among the bytes that the other worker sends
        outbox = self._seal(slot)
        if self.tap is not None and queued:
            self.tap.sent(slot, slot.connection, outbox[:queued])
        return outbox[queued:]

    def release(self, slot: Slot) -> str:
        """Forget a sealed connection. It is no closing: it lives on elsewhere.

        Returns:
            Why somebody wants it closed, whoever has it; empty if nobody does. That this worker stops is no reason.
        """
        generation = slot.generation
        self._cut_off(slot)
        wish = self._take_wish(slot, generation)  # now: from here on nobody can ask for it any more
        slot.connection = None
        self.counters.handed_over += 1
        self.pool.give_back(slot, time.monotonic())
        return wish

    def _take_wish(self, slot: Slot, generation: int) -> str:
        wish = "" if slot.end_reason == reasons.STOPPING else slot.end_reason
        for _ in range(len(self._asked_close)):  # others append meanwhile: so one by one, each to the end again
            asked = self._asked_close.popleft()
            if asked[:2] == (slot, generation):
                wish = wish or asked[2]
            else:
                self._asked_close.append(asked)
        return wish

    def unpark(self, work: Ready) -> None:
        """Have work run that was parked, and is not in the slot any more."""
        self._unpark(work)

    # -- arriving ------------------------------------------------------------------------------------------

    def adopt(self, fd: int, endpoint: Endpoint, state: ConnectionState) -> Slot:
        """Go on with another worker's connection. The descriptor is the engine's from now on.

        Raises:
            OSError: it cannot be watched.
        """
        now = time.monotonic()
        slot = self._install(fd, endpoint)
        self._fill(slot, state.received, state.unsent)
        slot.opened_at, slot.last_seen = state.opened_at, state.last_seen
        slot.messages_in, slot.messages_out = state.messages_in, state.messages_out
        slot.tokens, slot.tokens_at = state.tokens, state.tokens_at
        slot.connection = connection = Connection(slot, slot.generation, state.id, state.peer, endpoint.address)
        connection.restore_user(unpack_user(state.user), state.login_since)
        slot.state = State.OPEN
        self._begin_watching(slot)
        self.counters.adopted += 1
        self._await_login(slot, connection, now)
        if state.received:
            self._deadlines.begin_frame(slot, now, again=True)
        if slot.unsent > self.send_buffer:
            slot.over_since = now
            self._deadlines.watch_slow(slot)
        return slot
