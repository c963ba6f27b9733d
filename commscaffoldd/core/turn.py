"""A turn: some of one connection's waiting messages, run one after another by the thread that owns them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Place
from commscaffoldd.core.running import Running
from commscaffoldd.core.slot import Slot

MESSAGES: Final = 64  # in one turn; then other connections have theirs


class Outcome(enum.Enum):
    """Why a turn ended."""

    DONE = "done"  # nothing waits any more
    MORE = "more"  # its share of time is over
    ELSEWHERE = "elsewhere"  # the next message is for the other kind of thread, or for another worker
    PARKED = "parked"  # the client does not read; whoever sends goes on with it
    DEFERRED = "deferred"  # a message is answered later; the reactor goes on with it then


# Reading a member off an enum's class is slow, and these are read in each turn.
DONE, MORE, ELSEWHERE, PARKED, DEFERRED = Outcome


class TurnRunner:
    """Runs turns on one thread: pooled handlers on a pool thread, inline ones on the reactor.

    Each reply goes to the outbox as soon as there is one, so it never waits for the next handler. Batches come
    about by themselves: the sender looks when it gets the GIL, and takes all that has come until then.

    Attributes:
        running: what this thread runs now, for the watchdog.
    """

    def __init__(
        self,
        here: Place,
        runner: HandlerRunner,
        counters: Counters,
        send_buffer: int,
        flush_soon: Callable[[Slot], None],
    ) -> None:
        """A runner for one thread.

        Args:
            here: the place of the handlers that run on this thread.
            runner: calls them.
            counters: this thread's.
            send_buffer: bytes waiting for a client above which its messages are not handled.
            flush_soon: takes a slot with replies in its outbox.
        """
        self._here = here
        self._runner = runner
        self._counters = counters
        self._send_buffer = send_buffer
        self._flush_soon = flush_soon
        self.running = Running()

    def run(self, slot: Slot) -> tuple[int, Outcome]:
        """Run a turn. The caller holds `slot.owner`.

        Returns:
            How many messages are done with, and why the turn ended. The caller holds `owner` still, unless the
            outcome is `PARKED`: then it belongs to whoever flushes the slot; or `DEFERRED`: then to the reactor, once
            there is an answer.
        """
        done = 0
        outcome = MORE
        deferred: Deferred | None = None
        for work in slot.pending[:MESSAGES]:
            if work.route.place != self._here or (slot.leaving and isinstance(work, Request)):
                outcome = ELSEWHERE
                break
            if slot.unsent > self._send_buffer and isinstance(work, Request):
                outcome = PARKED
                break
            done += 1
            if isinstance(work, LifecycleCall):
                self._call_hooks(work)
            elif (deferred := self.handle(slot, work)) is not None:
                outcome = DEFERRED
                break
        del slot.pending[:done]
        # Parking and suspending give `owner` away: another thread may be at `pending` then, so they come last.
        if deferred is not None:
            deferred.suspend()
            return done - 1, outcome
        if outcome is PARKED and not slot.park(slot, self._send_buffer):
            outcome = MORE
        if outcome is MORE and not slot.pending:
            outcome = DONE
        return done, outcome

    def handle(self, slot: Slot, request: Request) -> Deferred | None:
        """Run one request's handler and queue its reply; nothing if a plugin has closed the connection.

        Returns:
            What is to be suspended, if the answer comes later.
        """
        if request.connection.closing:
            return None
        endpoint = slot.endpoint
        assert endpoint is not None, "a slot that has had a message has had a connection"
        reply = self._runner.run(request, endpoint, self._counters, self.running)
        if reply is None:
            deferred = request.deferred
            return deferred if deferred is not None and deferred.holds else None
        if slot.queue(request.connection.generation, reply):
            self._flush_soon(slot)
        else:
            self._counters.late_replies += 1
        return None

    def _call_hooks(self, call: LifecycleCall) -> None:
        running = self.running
        running.work = call
        call.route.function(call)
        running.work = None
        if running.overdue is not None:
            running.came_late()  # there is nothing to drop
