"""The heartbeat watchdog: a thread that closes peers which have been silent too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from commscaffoldd.core import reasons
from commscaffoldd.core.service_thread import PeriodicThread
from commscaffoldd.core.settings import HeartbeatSettings
from commscaffoldd.core.slot import Slot, State

LOOKS = 10  # looks in the time after which a silent peer is closed: how exact that time is
SHORTEST_WAIT = 0.05


class HeartbeatWatchdog(PeriodicThread):
    """Owns the watchdog thread.

    Any frame is a sign of life, not only a heartbeat. A connection that is not read from, because of what
    waits for it, is not called silent: it may well be talking.
    """

    def __init__(
        self,
        settings: HeartbeatSettings,
        slots: Callable[[], Iterable[Slot]],
        close: Callable[[Slot, int, str], None],
    ) -> None:
        """A watchdog.

        Args:
            settings: the allowed silence is `interval * misses`.
            slots: gives the open slots; called on the watchdog's thread.
            close: closes a slot of a generation for a reason; called on the watchdog's thread.
        """
        self._silence = settings.interval * settings.misses
        super().__init__("heartbeat watchdog", max(self._silence / LOOKS, SHORTEST_WAIT))
        self._slots = slots
        self._close = close

    def look(self, now: float) -> None:
        """Close every peer that has been silent too long at `now`, a monotonic time."""
        for slot in self._slots():
            connection = slot.connection  # first: `last_seen` is this one's then, or that of a later one
            if connection is None or now - slot.last_seen <= self._silence:
                continue
            if slot.state is State.OPEN and not slot.paused:
                self._close(slot, connection.generation, reasons.SILENT)
