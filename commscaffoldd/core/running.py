"""What a thread runs now: written by it for each message, read by the handler watchdog a few times a second."""

from __future__ import annotations

import threading
from typing import Protocol

from commscaffoldd.core.request import Work


class Watched(Protocol):
    """A thread that runs handlers and hooks, as the watchdog sees it. The native path's `turn.Turns` is one, too.

    Attributes:
        thread: the thread's identifier, as `threading.get_ident` gives it.
    """

    thread: int

    @property
    def work(self) -> Work | None:
        """What runs now."""

    def give_up(self, work: Work) -> bool:
        """Have what comes of this work dropped. Any thread.

        Returns:
            Whether it still ran, and nobody else has answered or will; if not, it has been answered.
        """


class Running:
    """What one thread runs, on the Python path.

    Which of the two answers a message, the handler's thread or the watchdog, must be one decision, and it must not
    cost a lock for each message. So each of them writes first and reads then: the thread takes `work` away and
    looks at `overdue`, the watchdog sets `overdue` and looks at `work`. One of them sees the other; the lock decides
    only then.

    Attributes:
        work: see `Watched`. Written by the thread alone.
        overdue: what has been given up, or is just being.
        thread: see `Watched`. The thread that makes this one, until another one says that it is it.
    """

    __slots__ = ("_deciding", "overdue", "thread", "work")

    def __init__(self) -> None:
        self.work: Work | None = None
        self.overdue: Work | None = None
        self.thread = threading.get_ident()
        self._deciding = threading.Lock()

    def give_up(self, work: Work) -> bool:
        """See `Watched`."""
        with self._deciding:
            self.overdue = work
            if self.work is work:
                return True
            self.overdue = None
            return False

    def came_late(self) -> bool:
        """Whether what has just ended had been given up. The thread itself, once `work` is `None`.

        To be asked if `overdue` is set: it costs a lock.
        """
        with self._deciding:
            late = self.overdue is not None
            self.overdue = None
            return late
