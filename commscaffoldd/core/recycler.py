"""The recycler: a thread that makes closed connections' slots free again when their delay is over."""

from __future__ import annotations

import threading
import time

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.service_thread import ServiceThread

SHORTEST_WAIT = 0.1  # seconds; also how late a slot may become free
LONGEST_WAIT = 60.0


class Recycler:
    """Owns the recycler thread."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._stopping = threading.Event()
        self._thread = ServiceThread("recycler", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread and wait for it, at most `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)):
            wait = self._pool.recycle(time.monotonic())
