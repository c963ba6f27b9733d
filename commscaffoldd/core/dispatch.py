"""Dispatching: each message to where it is handled. All on the reactor's thread, but for `hand_back`.

Inline handlers are run here, and their replies leave with one call of `engine.write` at the end.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Final

from commscaffoldd.core import reasons
from commscaffoldd.core.backlog import Backlog
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.endpoint import REFUSED, UNKNOWN_ID
from commscaffoldd.core.engine import Batch, Engine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.layout import HEARTBEAT_ID
from commscaffoldd.core.login import login_first
from commscaffoldd.core.pool_loop import ReadyQueue
from commscaffoldd.core.request import LifecycleCall, Request, Work
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.running import Watched
from commscaffoldd.core.slot import Ready, Slot, slot_of
from commscaffoldd.core.turn import DONE, ELSEWHERE, MORE, TurnRunner

MANY: Final = 8  # connections whose messages wait for the pool: so many make a batch worth waiting for


class Unrouted:
    """What happens to messages that no handler is asked about: heartbeats, unknown message IDs, floods."""

    def __init__(
        self, engine: Engine, flood: FloodGate | None, *, close_unknown: bool, login_needed: bool = False
    ) -> None:
        """Answers for one worker.

        Args:
            engine: closes connections.
            flood: says who sends too much; `None`: nobody does.
            close_unknown: whether a message ID without a handler ends its connection.
            login_needed: whether a client who has not logged in is told just that of IDs without a handler, too: he
                shall not find out which IDs there are.
        """
        self._engine = engine
        self.flood = flood
        self._close_unknown = close_unknown
        self._login_needed = login_needed
        self.counters = Counters()

    def answer(self, slot: Slot, connection: Connection, message_id: int, sequence: int, body: bytes) -> bool:
        """Queue the answer to a heartbeat, or to a message ID without a handler; the caller has it written.

        Returns:
            Whether the connection goes on; not if it has been closed for this.
        """
        endpoint = slot.endpoint
        assert endpoint is not None, "a message came from a connection"
        if message_id == HEARTBEAT_ID and not body:
            self.counters.heartbeats += 1
            slot.queue(connection.generation, (HEARTBEAT_ID, sequence, b""))
            return True
        self.counters.unknown_ids += 1
        if self._close_unknown:
            self._engine.close(slot, reasons.UNKNOWN_ID, f"no handler for message ID {message_id}")
            return False
        if message_id not in (endpoint.error_id, endpoint.go_away_id):  # an error is never answered with an error
            code, text = UNKNOWN_ID, f"no handler for message ID {message_id}"
            if self._login_needed and connection.user is None:
                code, text = REFUSED, login_first(message_id)
            reply = endpoint.error_reply(message_id, sequence, code, text)
            if reply is not None:
                slot.queue(connection.generation, reply)
        return True

    def close_flood(self, slot: Slot) -> None:
        """Close a connection that has sent too much."""
        assert self.flood is not None, "a flood, and no gate"
        self._engine.close(slot, reasons.FLOOD, self.flood.describe())


class Dispatcher:
    """Takes batches of messages apart.

    Attributes:
        held: leaving slots, with the right to run them: none of their messages runs any more.
    """

    def __init__(
        self,
        engine: Engine,
        ready: ReadyQueue,
        backlog: Backlog,
        routes: RouteTable,
        runner: HandlerRunner,
        unrouted: Unrouted,
        await_sent: Callable[[], None] | None = None,
    ) -> None:
        """A dispatcher.

        Args:
            engine: writes the replies of inline handlers.
            ready: takes what is for the business pool.
            backlog: counts the messages.
            routes: handlers by message ID.
            runner: calls the inline handlers.
            unrouted: answers what no handler is asked about.
            await_sent: waits until the sender is done; `None`: the reactor has a processor of its own.
        """
        self._engine = engine
        self._deferrals = engine.deferrals
        self._ready = ready
        self._backlog = backlog
        self._routes = routes
        self._unrouted = unrouted
        self._flood = unrouted.flood
        self._runner = runner
        self._await_sent = await_sent
        self._handed_back: deque[Slot] = deque()
        self._written: list[Slot] = []  # slots in whose outbox this turn has put something
        self.held: list[Slot] = []
        self.counters = unrouted.counters
        self._inline = TurnRunner("inline", runner, self.counters, engine.send_buffer, self._written.append)

    @property
    def running(self) -> Watched:
        """What the reactor's thread runs now, for the watchdog."""
        return self._inline.running

    def hand_back(self, slot: Slot) -> None:
        """Take a slot, with the right to run it, whose next message is for an inline handler. Any thread."""
        self._handed_back.append(slot)
        self._engine.wake()

    def longest_wait(self, longest: float) -> float:
        """For how many seconds the next wait may wait: not at all, if something is to be run here."""
        return 0.0 if self._handed_back or self._deferrals.done else longest

    def dispatch(self, batch: Batch) -> None:
        """Handle, or pass on, all messages of a batch, and what was handed back; write the replies."""
        for slot, connection, frames in batch.arrived:
            self._dispatch(slot, connection, frames, batch.now)
        if self._deferrals.done:
            for deferred in self._deferrals.take():
                self._complete(deferred)
        for _ in range(len(self._handed_back)):
            self._go_on(self._handed_back.popleft())
        self._write()
        if self._await_sent is not None and self._ready.qsize() >= MANY:
            self._await_sent()

    def submit(self, slot: Slot, work: list[Work]) -> None:
        """Let a connection's messages wait in its order; run what is inline and comes first."""
        self._backlog.submitted += len(work)
        if slot.submit(work):
            self._go_on(slot)

    def take_over(self, slot: Slot, connection: Connection, frames: list[Frame]) -> None:
        """Let messages that another worker has received wait, in their order. The reactor's thread."""
        self._enqueue(slot, connection, frames)
        self._write()

    def go_on(self, slot: Slot) -> None:
        """Run, or have run, what waits for a slot. The right to run it is held. The reactor's thread."""
        self._handed_back.append(slot)

    def run_first(self, slot: Slot, call: LifecycleCall) -> None:
        """Have the pool run a hook before all that waits for a slot. The right to run it is held. The reactor."""
        self._backlog.submitted += 1
        slot.pending.insert(0, call)
        self._ready.put(slot)

    def reclaim(self) -> list[Ready]:
        """Take the messages of leaving slots out of the ready queue; hooks stay there. The reactor."""
        found: list[Ready] = []
        with contextlib.suppress(Empty):
            for _ in range(self._ready.qsize()):
                work = self._ready.get_nowait()
                slot = work[0] if isinstance(work, tuple) else work
                if work is None or slot is None or not slot.leaving or (work is slot and _hook_is_next(slot)):
                    self._ready.put(work)
                else:
                    found.append(work)
        return found

    def forget(self, slot: Slot) -> None:
        """Count all that waits for a slot as done. The right to run it is held. The reactor."""
        self._backlog.taken[-1] += len(slot.pending) + len(slot.concurrent)
        slot.pending.clear()
        slot.concurrent.clear()

    def _dispatch(self, slot: Slot, connection: Connection, frames: list[Frame], now: float) -> None:
        if self._flood is not None and not self._flood.admit(slot, len(frames), now):
            self._unrouted.close_flood(slot)
        else:
            self._enqueue(slot, connection, frames)

    def _enqueue(self, slot: Slot, connection: Connection, frames: list[Frame]) -> None:
        routes = self._routes
        waiting: list[Work] = []
        for message_id, sequence, body in frames:
            route = routes.get(message_id)
            if route is None:
                if not self._unrouted.answer(slot, connection, message_id, sequence, body):
                    break
                self._written.append(slot)
                continue
            request = Request(connection, message_id, sequence, body, route)
            if route.place == "concurrent":
                self._backlog.submitted += 1
                slot.concurrent.add(request)
                self._ready.put((slot, request))
            else:
                waiting.append(request)
        if waiting:
            self.submit(slot, waiting)

    def _complete(self, deferred: Deferred) -> None:
        """Answer a deferred message, and go on with its connection."""
        request = deferred.request
        slot = slot_of(request.connection)
        endpoint = slot.endpoint
        assert endpoint is not None, "a slot that has had a message has had a connection"
        self._backlog.taken[-1] += 1
        reply = self._runner.complete(deferred, endpoint, self.counters)
        request.deferred = None  # it has the request: so both go now, and not when the garbage collector comes
        if reply is not None:
            if slot.queue(request.connection.generation, reply):
                self._written.append(slot)
            else:
                self.counters.late_replies += 1
        if request.route.place != "concurrent":
            self._go_on(slot)
            return
        slot.concurrent.discard(request)
        if slot.paused:
            self._engine.resume_if_few(slot)
        self._engine.check_if_draining(slot)

    def _write(self) -> None:
        if self._written:
            self._engine.write(self._written, self.counters)
            self._written.clear()

    def _go_on(self, slot: Slot) -> None:
        """Run what is inline; pass the rest to the pool. The right to run the slot is held here."""
        if slot.leaving and not _hook_is_next(slot):
            self.held.append(slot)
            return
        if slot.pending and slot.pending[0].route.place != "inline":
            self._ready.put(slot)
            return
        done, outcome = self._inline.run(slot)
        self._backlog.taken[-1] += done
        if slot.paused:
            self._engine.resume_if_few(slot)
        if outcome is ELSEWHERE:
            self._ready.put(slot)
        elif outcome is MORE:
            self._handed_back.append(slot)
        elif outcome is DONE:
            if not slot.disown_if_done():
                self._handed_back.append(slot)
            else:
                self._engine.check_if_draining(slot)


def _hook_is_next(slot: Slot) -> bool:
    return bool(slot.pending) and isinstance(slot.pending[0], LifecycleCall)
