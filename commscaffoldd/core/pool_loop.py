"""What a business thread does: take a connection, or one concurrent message, run its handlers, give it on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

from commscaffoldd.core.backlog import Backlog
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.request import Request
from commscaffoldd.core.slot import Ready, Slot
from commscaffoldd.core.turn import DONE, ELSEWHERE, MORE, TurnRunner

ReadyQueue: TypeAlias = "SimpleQueue[Ready | None]"
"""Slots whose messages shall be run (the right to do so goes to whoever takes one), and concurrent requests."""


class PoolLoop:
    """One business thread's work."""

    def __init__(
        self,
        number: int,
        ready: ReadyQueue,
        backlog: Backlog,
        engine: Engine,
        turns: TurnRunner,
        hand_back: Callable[[Slot], None],
    ) -> None:
        """A loop.

        Args:
            number: the thread's, from 0.
            ready: where work comes from; `None` ends the loop.
            backlog: counts what has been done.
            engine: is asked to resume and to finish connections, and woken when the full queue has half emptied.
            turns: runs the handlers.
            hand_back: gives a slot whose next message is for an inline handler back to the reactor.
        """
        self._number = number
        self._ready = ready
        self._backlog = backlog
        self._engine = engine
        self._turns = turns
        self._hand_back = hand_back

    def run(self) -> None:
        """Work until told to end. The business thread."""
        backlog = self._backlog
        self._turns.running.thread = threading.get_ident()
        while (work := self._ready.get()) is not None:
            if isinstance(work, Slot):
                self._run_turn(work)
            else:
                self._run_concurrent(*work)
            if backlog.full and backlog.excess <= 0:
                self._engine.wake()

    def _run_turn(self, slot: Slot) -> None:
        done, outcome = self._turns.run(slot)
        self._backlog.taken[self._number] += done
        if slot.paused:
            self._engine.resume_if_few(slot)
        if outcome is MORE:
            self._ready.put(slot)
        elif outcome is ELSEWHERE:
            self._hand_back(slot)
        elif outcome is DONE:
            if not slot.disown_if_done():
                self._ready.put(slot)
            else:
                self._engine.check_if_draining(slot)

    def _run_concurrent(self, slot: Slot, request: Request) -> None:
        send_buffer = self._engine.send_buffer
        if slot.unsent > send_buffer and slot.park((slot, request), send_buffer):
            return
        if (deferred := self._turns.handle(slot, request)) is not None:
            deferred.suspend()
            return
        self._backlog.taken[self._number] += 1
        slot.concurrent.discard(request)
        if slot.paused:
            self._engine.resume_if_few(slot)
        self._engine.check_if_draining(slot)
