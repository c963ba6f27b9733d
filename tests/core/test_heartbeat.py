"""The heartbeat watchdog: who is silent too long."""

from __future__ import annotations

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.heartbeat import HeartbeatWatchdog
from commscaffoldd.core.settings import HeartbeatSettings
from commscaffoldd.core.slot import Slot, State
from tests.core.slots import Recorder, open_slot
from tests.core.waiting import wait_until

SETTINGS = HeartbeatSettings(interval=2.0, misses=3)


def looked(slot: Slot, now: float) -> list[tuple[int, str]]:
    closings: list[tuple[int, str]] = []
    watchdog = HeartbeatWatchdog(
        SETTINGS, lambda: [slot], lambda _, generation, why: closings.append((generation, why))
    )
    watchdog.look(now)
    return closings


@pytest.fixture
def slot() -> Slot:
    made = open_slot(Recorder())
    made.last_seen = 100.0
    return made


def test_a_peer_is_closed_after_all_its_misses(slot: Slot) -> None:
    assert looked(slot, 106.0) == []
    assert looked(slot, 106.01) == [(slot.generation, reasons.SILENT)]


def test_who_is_not_read_from_is_not_silent(slot: Slot) -> None:
    slot.paused = True
    assert looked(slot, 200.0) == []


@pytest.mark.parametrize("state", [State.DRAINING, State.LINGERING, State.COOLING, State.FREE])
def test_only_open_connections_are_meant(slot: Slot, state: State) -> None:
    slot.state = state
    assert looked(slot, 200.0) == []


def test_a_slot_that_has_just_been_closed_is_left_alone(slot: Slot) -> None:
    slot.connection = None
    assert looked(slot, 200.0) == []


def test_the_thread_looks_by_itself_and_ends(slot: Slot) -> None:
    closings: list[str] = []
    watchdog = HeartbeatWatchdog(
        HeartbeatSettings(interval=0.1, misses=1),
        lambda: [slot],
        lambda _slot, _generation, why: closings.append(why),
    )
    watchdog.start()
    wait_until(lambda: closings)
    watchdog.stop(10)
    assert not watchdog._thread.is_alive()
