"""How long to wait before connecting again: exponential, with full jitter.

A daemon that comes back meets its clients spread over time, not all at once: each waits for a time drawn evenly
from nothing to the bound, and the bound doubles.
"""

from __future__ import annotations

import dataclasses
import random


@dataclasses.dataclass(frozen=True, slots=True)
class Reconnect:
    """Whether and how a client connects anew.

    Attributes:
        first: the bound of the first delay, in seconds; it doubles with each attempt.
        most: the largest bound, in seconds.
        attempts: so many in a row, then the client gives up and fails for good; `None`: never.
    """

    first: float = 0.1
    most: float = 30.0
    attempts: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        if not 0 < self.first <= self.most:
            raise ValueError(f"first = {self.first:g}, most = {self.most:g}; allowed: 0 < first <= most")
        if self.attempts is not None and self.attempts < 0:
            raise ValueError(f"attempts = {self.attempts}; allowed: 0 and more, or None")


class Backoff:
    """The delays before attempts to connect. Used by one thread at a time."""

    def __init__(self, reconnect: Reconnect) -> None:
        self._reconnect = reconnect
        self._failed = 0
        self._bound = reconnect.first

    def next(self) -> float | None:
        """Seconds to wait before the next attempt; `None`: it is time to give up."""
        if self._reconnect.attempts is not None and self._failed >= self._reconnect.attempts:
            return None
        self._failed += 1
        delay = random.uniform(0.0, self._bound)  # noqa: S311  # it spreads clients; it keeps no secret
        self._bound = min(self._reconnect.most, 2 * self._bound)
        return delay

    def reset(self) -> None:
        """A connection is good: the next delay is a short one again."""
        self._failed = 0
        self._bound = self._reconnect.first
