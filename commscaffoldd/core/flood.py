"""Flood detection: a token bucket for each connection."""

from __future__ import annotations

from commscaffoldd.core.settings import FloodSettings
from commscaffoldd.core.slot import Slot


class FloodGate:
    """Says whether a client may send what it sent: `rate` messages a second, `burst` at once.

    The bucket's level is kept in the slot. The reactor's thread calls it, once a batch.

    Attributes:
        rate: messages a second.
        burst: messages at once.
    """

    def __init__(self, settings: FloodSettings) -> None:
        self.rate = float(settings.rate)
        self.burst = float(settings.burst)

    def open(self, slot: Slot, now: float) -> None:
        """A new connection's bucket is full."""
        slot.tokens = self.burst
        slot.tokens_at = now

    def admit(self, slot: Slot, messages: int, now: float) -> bool:
        """Take this many tokens; `False` if there are not enough, which makes it a flood."""
        level = min(self.burst, slot.tokens + (now - slot.tokens_at) * self.rate) - messages
        slot.tokens = level
        slot.tokens_at = now
        return level >= 0

    def describe(self) -> str:
        """What is allowed, for the log."""
        return f"allowed: {self.rate:g} messages a second, {self.burst:g} at once"
