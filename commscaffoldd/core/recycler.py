"""The recycler: a thread that makes closed connections' slots free again when their delay is over."""

from __future__ import annotations

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.service_thread import PeriodicThread

SHORTEST_WAIT = 0.1  # seconds; also how late a slot may become free
LONGEST_WAIT = 60.0


class Recycler(PeriodicThread):
    """Owns the recycler thread."""

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__("recycler", SHORTEST_WAIT)
        self._pool = pool

    def look(self, now: float) -> None:
        """Free the slots whose delay is over at `now`, a monotonic time."""
        self.wait = min(max(self._pool.recycle(now), SHORTEST_WAIT), LONGEST_WAIT)
