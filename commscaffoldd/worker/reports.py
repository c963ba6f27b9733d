"""What a worker tells the master of itself, unasked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.worker.views import describe_quarantined


class Reports:
    """Hears the handler watchdog, and passes it on; see `handler_watchdog.Observer`."""

    def __init__(self, quarantine: Quarantine, tell: Callable[[Mapping[str, Any]], None]) -> None:
        """Reports.

        Args:
            quarantine: the worker's.
            tell: tells the master.
        """
        self._quarantine = quarantine
        self._tell = tell

    def hung(self, what: str) -> None:
        """Handlers that have been given up hold all of this."""
        self._tell({"event": "hung", "what": what})

    def quarantine_changed(self) -> None:
        """Some message ID's quarantine has begun, changed or ended."""
        self._tell({"event": "quarantine", "quarantined": describe_quarantined(self._quarantine.quarantined())})
