"""What every engine does in the same way: closing, draining, pausing, deadlines, and what other threads ask for.

An engine proper adds what differs: waiting, accepting, reading, cutting, encoding, sending.
"""

from __future__ import annotations

import os
import select
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from commscaffoldd.core import reasons
from commscaffoldd.core.accept import Acceptor
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deadlines import Deadlines
from commscaffoldd.core.deferred import Deferrals
from commscaffoldd.core.engine import Closed
from commscaffoldd.core.framing import FrameError
from commscaffoldd.core.settings import ConnectionSettings, FrameSettings, LoginSettings
from commscaffoldd.core.slot import Outlet, Ready, Slot, State
from commscaffoldd.core.strangers import describe_stranger
from commscaffoldd.core.tap import Tap

LINGER: Final = 1.0  # seconds that a closing connection waits for the peer's end
_DRAINING: Final = State.DRAINING
GONE: Final = select.EPOLLHUP | select.EPOLLERR


class EngineBase(ABC):
    """The half of an engine that knows no transport; see `engine.Engine` for what each method promises."""

    _acceptor: Acceptor  # made by the engine proper, which has the epoll that it needs

    def __init__(
        self,
        frame: FrameSettings,
        connections: ConnectionSettings,
        *,
        per_connection: int,
        flush_soon: Callable[[Slot], None],
        unpark: Callable[[Ready], None],
        login: LoginSettings | None = None,
        make_slot: Callable[[int, Outlet], Slot] = Slot,
    ) -> None:
        """The common half.

        Args:
            frame: limits of a frame.
            connections: limits of connections.
            per_connection: messages waiting of one connection above which it is paused.
            flush_soon: hands a slot to the sender.
            unpark: is given a slot's parked work when it may be handled again.
            login: by when clients must log in; `None`: they need not.
            make_slot: makes the engine's kind of slot.
        """
        self._frame = frame
        self._per_connection = per_connection
        self._unpark = unpark
        self.flush_soon = flush_soon
        self.send_buffer = connections.send_buffer
        self.tap: Tap | None = None
        self.counters = Counters()
        self.deferrals = Deferrals(self.wake)
        self.pool = ConnectionPool(connections.initial, connections.max, connections.recycle_delay, self, make_slot)
        self._deadlines = Deadlines(frame.timeout, connections.slow_reader_timeout, login.timeout if login else 0.0)
        self._closed: list[Closed] = []
        self._paused: set[Slot] = set()
        self._full = False  # the last poll had no budget: nobody is resumed before `resume_all`
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # What other threads ask for; appending, adding and popping are atomic. Taken by the reactor in `poll`.
        self._woken = False
        self._asked_close: deque[tuple[Slot, int, str, bool]] = deque()
        self._asked_resume: set[Slot] = set()
        self._asked_drained: set[Slot] = set()

    def set_tap(self, tap: Tap | None) -> None:
        """See `Engine.set_tap`."""
        self.tap = tap

    # -- what an engine proper does ------------------------------------------------------------------------

    @abstractmethod
    def open_slots(self) -> Sequence[Slot]:
        """See `Engine.open_slots`."""

    @abstractmethod
    def _cut_off(self, slot: Slot) -> list[Ready]:
        """Raise the generation, forget what waits for the client, close the socket; all in one step for others.

        Returns:
            The work that was parked.
        """

    @abstractmethod
    def _end_stream(self, slot: Slot, farewell: bytes) -> bool:
        """Shut our side and let the slot linger, unless something waits for the client; one step for others.

        Args:
            slot: a draining one.
            farewell: last bytes to send, as far as the socket takes them.

        Returns:
            Whether it was done.
        """

    @abstractmethod
    def _watch(self, slot: Slot, state: State, *, paused: bool) -> None:
        """Set the slot's state, and whether it is paused, and watch its socket for what follows from that."""

    @abstractmethod
    def _incomplete(self, slot: Slot) -> tuple[int, bytes]:
        """How many bytes of an incomplete frame are kept for the slot, and the first few of them."""

    @abstractmethod
    def _read_away(self, slot: Slot) -> bool:
        """Read from a lingering slot, for nothing; give whether its peer has ended, a reset among it."""

    # -- the reactor's thread ------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        """See `Engine.stop_accepting`."""
        self._acceptor.stop()

    def gauges(self) -> dict[str, int]:
        """See `Engine.gauges`."""
        return {
            "connections": self.pool.in_use,
            "slots": self.pool.made,
            "cooling": self.pool.cooling,
            "paused": len(self._paused),
            "accepting": int(self._acceptor.accepting),
        }

    def close(self, slot: Slot, reason: str, detail: str = "") -> None:
        """See `Engine.close`."""
        connection = slot.connection
        if connection is None:  # closed already
            return
        if slot.state is State.MOVING:
            self._end_later(slot, reason, detail)
            return
        parked = self._cut_off(slot)  # from here on nothing can be queued for this connection
        self._paused.discard(slot)
        self._deadlines.forget(slot)
        slot.connection = None
        self.counters.closed += 1
        if (counter := reasons.COUNTED_AS.get(reason)) is not None:
            setattr(self.counters, counter, getattr(self.counters, counter) + 1)
        self._closed.append((slot, connection, reason, detail))
        self.pool.give_back(slot, time.monotonic())
        for work in parked:
            self._unpark(work)

    def drain(self, slot: Slot, reason: str, detail: str = "") -> None:
        """See `Engine.drain`."""
        if slot.state is State.MOVING:
            self._end_later(slot, reason, detail)
        if slot.state is not State.OPEN:
            return
        slot.end_reason, slot.end_detail = reason, detail
        self._deadlines.begin_end(slot, time.monotonic(), self._deadlines.slow_reader_timeout)
        self._watch(slot, State.DRAINING, paused=slot.paused)
        self._paused.discard(slot)
        if slot.connection is not None:
            self.deferrals.ending(slot.connection)
        self._finish_drained(slot)

    def _end_later(self, slot: Slot, reason: str, detail: str) -> None:
        """Another worker may have it: whoever has it in the end is told. A stop of this one is the weakest reason."""
        if slot.end_reason in ("", reasons.STOPPING):
            slot.end_reason, slot.end_detail = reason, detail

    def resume_all(self) -> None:
        """See `Engine.resume_all`."""
        self._full = False
        # Who was read longest ago comes first: the kernel reports in this order, and the budget may not be enough
        # for all. One busy client would have it each time otherwise.
        for slot in sorted(self._paused, key=lambda slot: slot.last_seen):
            self._resume(slot)

    def shed_slow_reader(self) -> int:
        """See `Engine.shed_slow_reader`."""
        parked = [slot for slot in self._deadlines.over_send_buffer() if slot.parked]
        if not parked:
            return 0
        slot = max(parked, key=lambda slot: slot.waiting)
        freed = slot.waiting
        detail = f"the business queue is full, and {freed} messages of this client wait until it reads"
        self.close(slot, reasons.SLOW_READER, detail)
        return freed

    def close_all(self) -> list[Closed]:
        """See `Engine.close_all`."""
        for slot in self.open_slots():
            self.close(slot, slot.end_reason or reasons.STOPPING, slot.end_detail)
        closed, self._closed = self._closed, []
        return closed

    def _close_wake_fd(self) -> None:
        """At the end: who wakes the reactor even then, as a late reply does, writes to nobody's descriptor."""
        self._woken = True
        os.close(self._wake_fd)

    # -- any thread ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """See `Engine.wake`."""
        if not self._woken:  # one wake-up is enough until the reactor has looked
            self._woken = True
            os.eventfd_write(self._wake_fd, 1)

    def close_soon(self, slot: Slot, generation: int, reason: str, *, drain: bool) -> None:
        """See `Engine.close_soon`."""
        if slot.asked_to_end == generation or slot.generation != generation:
            return
        slot.asked_to_end = generation
        self._asked_close.append((slot, generation, reason, drain))
        self.wake()

    def check_drained(self, slot: Slot) -> None:
        """See `Engine.check_drained`."""
        self._asked_drained.add(slot)
        self.wake()

    def check_if_draining(self, slot: Slot) -> None:
        """See `Engine.check_if_draining`."""
        if slot.state is _DRAINING:
            self.check_drained(slot)

    def resume_soon(self, slot: Slot) -> None:
        """See `Engine.resume_soon`."""
        self._asked_resume.add(slot)
        self.wake()

    def resume_if_few(self, slot: Slot) -> None:
        """See `Engine.resume_if_few`."""
        if slot.paused and slot.waiting <= self._per_connection // 2:
            self.resume_soon(slot)

    def watch_slow(self, slot: Slot) -> None:
        """See `slot.Outlet.watch_slow`."""
        self._deadlines.watch_slow(slot)

    # -- any thread: the client has read -------------------------------------------------------------------

    def _go_on(self, slot: Slot, parked: Iterable[Ready]) -> None:
        """What was put aside because the client did not read may go on; `parked` has been taken out of the slot."""
        for work in parked:
            self._unpark(work)
        if slot.paused and not self._must_wait(slot):  # else the pool resumes it, once few messages wait
            self.resume_soon(slot)
        if slot.state is _DRAINING and not slot.unsent:
            self.check_drained(slot)

    # -- opening and reading: the reactor's thread ---------------------------------------------------------

    def _introduce(self, slot: Slot, worker: int, peer: str, listen: str, now: float) -> None:
        """Give a slot that has its socket its connection: from here on others may find it."""
        name = f"{worker}.{slot.index}.{slot.generation}"
        slot.opened_at = slot.last_seen = now  # before `connection`: other threads look at that first
        slot.connection = Connection(slot, slot.generation, name, peer, listen)
        slot.state = State.OPEN
        self._await_login(slot, slot.connection, now)
        self.counters.accepted += 1

    def _await_login(self, slot: Slot, connection: Connection, now: float) -> None:
        """If clients must log in by a deadline and this one has not: have it closed then."""
        if self._deadlines.login_timeout and connection.user is None:
            connection.login_since = connection.login_since or now
            self._deadlines.await_login(slot, connection.login_since)

    def _read_none(self, slot: Slot, mask: int) -> None:
        """Something to read from a connection that is not read: it ends, or has nothing to say any more."""
        if slot.state is State.LINGERING:
            if self._read_away(slot):
                self.close(slot, slot.end_reason, slot.end_detail)
        elif mask & GONE:
            self.close(slot, slot.end_reason or reasons.PEER_RESET, slot.end_detail)

    def _peer_closed(self, slot: Slot) -> None:
        kept, _ = self._incomplete(slot)
        detail = f"in the middle of a frame, {kept} bytes of it read" if kept else ""
        self._deadlines.end_frame(slot)
        if slot.idle and not slot.unsent:
            self.close(slot, reasons.PEER_CLOSED, detail)
        else:  # it may have shut only its own side, and wait for the replies
            self.drain(slot, reasons.PEER_CLOSED, detail)

    def _close_bad(self, slot: Slot, error: FrameError, first_bytes: bytes) -> None:
        """Close for bytes that cannot be; `first_bytes` of them, to guess what they are."""
        reason = reasons.BAD_CHECKSUM if error.kind == "checksum" else reasons.BAD_FRAME
        hint = "" if slot.messages_in else describe_stranger(first_bytes)
        self.close(slot, reason, error.text + hint)

    # -- pausing: the reactor's thread ---------------------------------------------------------------------

    def _must_wait(self, slot: Slot) -> bool:
        return slot.unsent > self.send_buffer or slot.waiting > self._per_connection

    def _pause(self, slot: Slot, mask: int, budget: int) -> None:
        if mask & GONE:
            self.close(slot, reasons.PEER_RESET)
            return
        self._watch(slot, slot.state, paused=True)
        self._paused.add(slot)
        # Whoever removes the cause looks at `paused` after that; it may have looked before it was set here.
        if budget > 0 and not self._must_wait(slot):
            self._resume(slot)

    def _resume(self, slot: Slot) -> None:
        self._paused.discard(slot)
        if slot.paused and slot.connection is not None and not slot.leaving:
            # It was not silent, and not late with its frame: we did not listen.
            slot.last_seen = now = time.monotonic()
            self._deadlines.restart_frame(slot, now)
            self._watch(slot, slot.state, paused=False)

    def _take_requests(self) -> None:
        self._woken = False  # before looking: who asks after the look wakes again
        while self._asked_close:
            slot, generation, reason, drain = self._asked_close.popleft()
            if slot.generation != generation:
                continue
            if drain:
                self.drain(slot, reason)
            else:
                self.close(slot, reason)
        while self._asked_resume:
            slot = self._asked_resume.pop()
            if not self._full:
                self._resume(slot)
        while self._asked_drained:
            self._finish_drained(self._asked_drained.pop())

    def _finish_drained(self, slot: Slot) -> None:
        # `idle` before `unsent`: a handler's replies are queued before its slot becomes idle.
        if slot.state is not State.DRAINING or not slot.idle:
            return
        if slot.end_reason == reasons.PEER_CLOSED:
            if not slot.unsent:
                self.close(slot, slot.end_reason, slot.end_detail)
            return
        endpoint = slot.endpoint
        assert endpoint is not None, "a draining slot has an endpoint"
        farewell = b""
        if slot.end_reason == reasons.STOPPING and endpoint.go_away_id is not None:
            farewell = endpoint.layout.encode(endpoint.go_away_id, 0, b"")
        if self._end_stream(slot, farewell):
            self._deadlines.begin_end(slot, time.monotonic(), LINGER)

    def _enforce_deadlines(self, now: float) -> None:
        if not self._deadlines.due(now):
            return
        for slot in self._deadlines.late_frames(now):
            kept, head = self._incomplete(slot)
            detail = f"a frame of which {kept} bytes had come was not finished in {self._frame.timeout:g} s"
            hint = "" if slot.messages_in else describe_stranger(head)
            self.close(slot, reasons.FRAME_TIMEOUT, detail + hint)
        for slot in self._deadlines.slow_readers(now):
            self.close(
                slot,
                reasons.SLOW_READER,
                f"{slot.unsent} bytes wait for it, above send_buffer = {self.send_buffer} "
                f"for {self._deadlines.slow_reader_timeout:g} s",
            )
        for slot in self._deadlines.late_logins(now):
            self.close(
                slot, reasons.LOGIN_TIMEOUT, f"nobody has logged in within {self._deadlines.login_timeout:g} s"
            )
        for slot in self._deadlines.overdue_ends(now):
            self.close(slot, slot.end_reason, slot.end_detail)
