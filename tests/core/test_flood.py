"""The token bucket."""

from __future__ import annotations

from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.settings import FloodSettings
from commscaffoldd.core.slot import Slot
from tests.core.slots import Recorder


def test_a_burst_is_allowed_once_and_then_the_rate() -> None:
    gate, slot = FloodGate(FloodSettings(rate=10, burst=5)), Slot(0, Recorder())
    gate.open(slot, 100.0)
    assert gate.admit(slot, 5, 100.0)
    assert not gate.admit(slot, 1, 100.0)


def test_tokens_come_back_with_time_but_not_beyond_the_burst() -> None:
    gate, slot = FloodGate(FloodSettings(rate=10, burst=5)), Slot(0, Recorder())
    gate.open(slot, 100.0)
    assert gate.admit(slot, 5, 100.0)
    assert gate.admit(slot, 2, 100.2)
    assert gate.admit(slot, 5, 1000.0)
    assert not gate.admit(slot, 1, 1000.0)


def test_it_says_what_is_allowed() -> None:
    assert FloodGate(FloodSettings(rate=10, burst=5)).describe() == "allowed: 10 messages a second, 5 at once"
