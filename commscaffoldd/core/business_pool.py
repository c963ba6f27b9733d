"""The business pool: the threads that run handlers.

Order: messages of one connection run one at a time, in the order in which they came; different connections run in
parallel. The right to run a connection's messages, `slot.owner`, is taken once for all that wait, handed from the
reactor to a pool thread by the ready queue, and given up when nothing waits any more. So there is one lock
operation and one wake-up per connection and batch, not per message.

    reactor:      pending += messages; if owner is free, take it and put the slot into the ready queue
    pool thread:  run pending messages; all done: give owner up, then look once more whether something came

A handler that is declared `inline` is not run here: the slot goes back to the reactor, owner and all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeAlias

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.request import Request, Work
from commscaffoldd.core.sender import SendQueue
from commscaffoldd.core.service_thread import ServiceThread
from commscaffoldd.core.settings import BusinessSettings
from commscaffoldd.core.slot import Ready, Slot, State
from commscaffoldd.core.turn import Outcome, TurnRunner

ReadyQueue: TypeAlias = "SimpleQueue[Ready | None]"
"""Slots whose messages shall be run (`owner` goes to whoever takes one), and single concurrent requests."""


SHORTEST_STOP: Final = 0.1  # seconds in which idle threads end: else they would be called busy


class BusinessPool:
    """Owns the pool threads."""

    def __init__(
        self,
        settings: BusinessSettings,
        ready: ReadyQueue,
        send_queue: SendQueue,
        engine: Engine,
        runner: HandlerRunner,
        hand_back: Callable[[Slot], None],
    ) -> None:
        """A pool.

        Args:
            settings: how many threads, and how many messages may wait.
            ready: where the threads take their work from; bounded by the messages that may wait.
            send_queue: where slots with replies go.
            engine: is asked to resume and to finish connections, and woken when the full queue has half emptied.
            runner: calls the handlers.
            hand_back: gives a slot whose next message is for an inline handler back to the reactor.
        """
        self._settings = settings
        self._ready = ready
        self._send_queue = send_queue
        self._engine = engine
        self._runner = runner
        self._hand_back = hand_back
        self.full = False  # written by the reactor: it wants to be woken once the queue is half empty
        self._submitted = 0  # written by the reactor
        self._taken = [0] * (settings.threads + 1)  # each written by its own thread; the last one is the reactor's
        self.counters = [Counters() for _ in range(settings.threads)]
        self._threads = [
            ServiceThread(f"business {number + 1}", self._run, number) for number in range(settings.threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> int:
        """End the threads once they have done what they are doing.

        Returns:
            How many were still busy after `timeout` seconds; they are daemon threads and end with the process.
        """
        for _ in self._threads:
            self._ready.put(None)
        deadline = time.monotonic() + max(timeout, SHORTEST_STOP)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def depth(self) -> int:
        """Messages that wait. Any thread; exact only when nothing moves."""
        return self._submitted - sum(self._taken)

    @property
    def room(self) -> int:
        """How many more messages may wait; below 0 after a large read."""
        return self._settings.queue - self.depth

    @property
    def excess(self) -> int:
        """How many messages must go until reading may go on after the queue was full; 0 or less: none."""
        return self.depth - self._settings.queue // 2

    @property
    def half_empty(self) -> bool:
        """Whether so little waits that reading may go on after the queue was full."""
        return self.excess <= 0

    def submit(self, slot: Slot, work: list[Work]) -> bool:
        """Let these messages wait, behind those of their connection that already do. The reactor's thread.

        Returns:
            Whether the caller now holds `slot.owner`, and must run the messages or pass the slot on.
        """
        self._submitted += len(work)
        slot.pending += work
        return slot.owner.acquire(blocking=False)

    def submit_concurrent(self, slot: Slot, request: Request) -> None:
        """Let this one run whenever a thread is free, in no order. The reactor's thread."""
        self._submitted += 1
        slot.concurrent.add(request)
        self._ready.put((slot, request))

    def took(self, slot: Slot, messages: int) -> None:
        """The reactor has run so many of a slot's messages itself. The reactor's thread."""
        self._taken[-1] += messages
        self._resume_if_few(slot)

    def pass_on(self, slot: Slot) -> None:
        """Let a pool thread go on; the caller holds `slot.owner` and gives it away."""
        self._ready.put(slot)

    def release(self, slot: Slot) -> bool:
        """Give `slot.owner` up, having run all that waited.

        Returns:
            Whether something has come meanwhile, and the caller holds `owner` again.
        """
        slot.owner.release()
        # The reactor appends first and tries the lock then: either it finds it free, or this finds what it appended.
        if slot.pending and slot.owner.acquire(blocking=False):
            return True
        if slot.state is State.DRAINING:
            self._engine.check_drained(slot)
        return False

    def _resume_if_few(self, slot: Slot) -> None:
        if slot.paused and slot.waiting <= self._settings.per_connection // 2:
            self._engine.resume_soon(slot)

    # -- a pool thread -------------------------------------------------------------------------------------

    def _run(self, number: int) -> None:
        turns = TurnRunner(
            "pool", self._runner, self.counters[number], self._engine.send_buffer, self._send_queue.put
        )
        while (work := self._ready.get()) is not None:
            if isinstance(work, Slot):
                done, outcome = turns.run(work)
                self._taken[number] += done
                self._resume_if_few(work)
                self._go_on(work, outcome)
            else:
                slot, request = work
                if slot.unsent > self._engine.send_buffer and slot.park(work, self._engine.send_buffer):
                    continue
                turns.handle(slot, request)
                self._taken[number] += 1
                slot.concurrent.discard(request)
                self._resume_if_few(slot)
                if slot.state is State.DRAINING:
                    self._engine.check_drained(slot)
            if self.full and self.half_empty:
                self._engine.wake()

    def _go_on(self, slot: Slot, outcome: Outcome) -> None:
        if outcome is Outcome.MORE or (outcome is Outcome.DONE and self.release(slot)):
            self._ready.put(slot)
        elif outcome is Outcome.ELSEWHERE:
            self._hand_back(slot)
