"""How many calls of the blocking client may be in flight at once."""

from __future__ import annotations

import queue
import time


class Slots:
    """So many, and no more. Any thread.

    A queue of tokens, and no semaphore: the garbage collector may end a stream in the middle of anything, and so give
    a slot back while the same thread takes one. A semaphore's lock would wait for itself then; this queue's does not.
    """

    def __init__(self, count: int) -> None:
        self._free: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def take(self, deadline: float) -> bool:
        """Take one, before this time (`time.monotonic`); give whether there was one."""
        try:
            self._free.get_nowait()
        except queue.Empty:
            try:
                self._free.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return False
        return True

    def give(self) -> None:
        """Give it back."""
        self._free.put(None)
