"""The business pool: the threads that run handlers.

Order: messages of one connection run one at a time, in the order in which they came; different connections run in
parallel. The right to run a connection's messages is taken once for all that wait, handed from the reactor to a pool
thread by the ready queue, and given up when nothing waits any more. So there is one lock operation and one wake-up
per connection and batch, not per message.

    reactor:      pending += messages; if nobody has the right, take it and put the slot into the ready queue
    pool thread:  run pending messages; all done: give the right up, then look once more whether something came

A handler that is declared `inline` is not run here: the slot goes back to the reactor, with the right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from commscaffoldd.core.service_thread import ServiceThread

SHORTEST_STOP: Final = 0.1  # seconds in which idle threads end: else they would be called busy


class BusinessPool:
    """Owns the pool threads."""

    def __init__(self, loops: Sequence[Callable[[], None]], end_one: Callable[[], None]) -> None:
        """A pool.

        Args:
            loops: what each thread does until it is told to end.
            end_one: tells one of them, whichever is free first.
        """
        self._end_one = end_one
        self._threads = [ServiceThread(f"business {number + 1}", loop) for number, loop in enumerate(loops)]

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
            self._end_one()
        deadline = time.monotonic() + max(timeout, SHORTEST_STOP)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)
