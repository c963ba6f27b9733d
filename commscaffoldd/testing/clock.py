"""Time that passes when a test says so."""

from __future__ import annotations

from commscaffoldd.worker.socketless.clock import ManualClock


class FakeClock(ManualClock):
    """A clock that stands still, and what is to happen at which time.

    It drives what the kit does in the daemon's place: `@every` timers, handlers' timeouts, the deadline for a login.
    What a plugin asks of Python's own `time` is the real time.
    """
