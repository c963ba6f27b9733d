"""The backlog: how many messages of a worker wait for a handler, and for how many more there is room."""

from __future__ import annotations


class Backlog:
    """Counts messages in and out. No lock: each number is written by one thread only.

    Attributes:
        submitted: messages that were handed over so far; written by the reactor.
        taken: messages that are done with, for each business thread, and for the reactor at the end.
        full: the reactor has stopped reading, and wants to be woken when `excess` is gone; written by it.
    """

    __slots__ = ("_limit", "full", "submitted", "taken")

    def __init__(self, limit: int, threads: int) -> None:
        """`limit`: how many messages may wait, near enough; `threads`: of the business pool."""
        self._limit = limit
        self.full = False
        self.submitted = 0
        self.taken = [0] * (threads + 1)

    @property
    def depth(self) -> int:
        """Messages that wait or run. Any thread; exact only when nothing moves."""
        return self.submitted - sum(self.taken)

    @property
    def room(self) -> int:
        """How many more messages may wait; below 0 after a large read."""
        return self._limit - self.depth

    @property
    def excess(self) -> int:
        """How many messages must go until reading may go on after the queue was full; 0 or less: none."""
        return self.depth - self._limit // 2
