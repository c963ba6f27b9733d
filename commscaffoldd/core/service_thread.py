"""Threads of the worker itself, as against those that plugins start."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable


class ServiceThread(threading.Thread):
    """A thread without which a worker cannot serve: if it ends by an exception, the worker ends too.

    It is a daemon thread: a handler that never returns must not keep the process alive.
    """

    def __init__(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        super().__init__(target=target, name=name, args=arguments, daemon=True)


class PeriodicThread(ABC):
    """Owns a service thread that looks after something again and again, until it is stopped.

    Attributes:
        wait: seconds until the next look; `look` may change it.
    """

    def __init__(self, name: str, wait: float) -> None:
        self.wait = wait
        self._stopping = threading.Event()
        self._thread = ServiceThread(name, self._run)

    def start(self) -> None:
        """Start the thread. The first look is after the first wait."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread, out of its wait too, and wait for it, at most `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    @abstractmethod
    def look(self, now: float) -> None:
        """Do what is due at `now`, a monotonic time."""

    def _run(self) -> None:
        while not self._stopping.wait(self.wait):
            self.look(time.monotonic())
