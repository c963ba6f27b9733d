"""The sender: a thread that hands what waits in outboxes to the engine, in batches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.service_thread import ServiceThread
from commscaffoldd.core.slot import Slot

AWAIT: Final = 0.0002  # seconds that the reactor waits for the sender at most


class SendQueue:
    """Slots with something in their outbox. Any thread puts, the sender takes.

    A slot is in it at most once, near enough: `dirty` is set by whoever puts and cleared by the sender *before* it
    looks into the outbox, so a message that comes after the look puts the slot in again. Two threads that see
    `dirty` unset at the same time put it in twice: an empty look, no harm. So the queue holds no more entries than
    there are connections and threads, and the messages themselves are bounded by `send_buffer`.
    """

    def __init__(self) -> None:
        self._slots: SimpleQueue[Slot | None] = SimpleQueue()
        self._awaited = False
        self._sent = threading.Lock()  # a gate, closed unless somebody is just being let through
        self._sent.acquire()

    def put(self, slot: Slot) -> None:
        """Have the slot's outbox written."""
        if not slot.dirty:
            slot.dirty = True
            self._slots.put(slot)

    def await_sent(self) -> None:
        """Wait until the sender has sent what it is given, for a moment at most. The reactor's thread.

        Where workers share all processors, the first replies would bring the first new messages, and their
        reader would take the processor from the sender that is sending the rest: batches would become ever smaller.
        """
        self._awaited = True
        self._sent.acquire(timeout=AWAIT)  # what is opened after that lets the next wait end early, no more
        self._awaited = False

    def tell_sent(self) -> None:
        """What was taken has been sent. The sender."""
        if self._awaited and not self._slots.qsize():
            self._awaited = False
            with contextlib.suppress(RuntimeError):  # it is open still
                self._sent.release()

    def close(self) -> None:
        """Let `take` return `None` once all before has been taken."""
        self._slots.put(None)

    def take(self) -> list[Slot] | None:
        """Wait for a slot; give it and all others that are there. `None` at the end."""
        first = self._slots.get()
        if first is None:
            return None
        slots = [first]
        for _ in range(self._slots.qsize()):  # one consumer: what is counted is there
            slot = self._slots.get()
            if slot is None:
                self._slots.put(None)
                break
            slots.append(slot)
        for slot in slots:
            slot.dirty = False
        return slots


class SendLoop:
    """What the sender's thread does on the Python path."""

    def __init__(self, queue: SendQueue, engine: Engine) -> None:
        self._queue = queue
        self._engine = engine

    def run(self, counters: Counters) -> None:
        """Write until the queue is closed. The sender's thread."""
        while (slots := self._queue.take()) is not None:
            self._engine.write(slots, counters)
            self._queue.tell_sent()


class Sender:
    """Owns the sender thread."""

    def __init__(self, loop: Callable[[Counters], None], end: Callable[[], None]) -> None:
        """A sender.

        Args:
            loop: what the thread does, with its counters.
            end: lets it return once all before has been sent.
        """
        self.counters = Counters()
        self._end = end
        self._thread = ServiceThread("sender", loop, self.counters)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread once the queue is empty and wait for it, at most `timeout` seconds."""
        self._end()
        self._thread.join(timeout)
