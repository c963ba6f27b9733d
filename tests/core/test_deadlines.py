"""Deadlines, with the time in hand."""

from __future__ import annotations

import pytest

from commscaffoldd.core.deadlines import SHORTEST_LOOK, Deadlines
from commscaffoldd.core.slot import Slot
from tests.core.slots import Recorder, connection_of, open_slot


@pytest.fixture
def slot() -> Slot:
    return Slot(0, Recorder())


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(10.0, 30.0)


def test_nothing_running_means_no_look(deadlines: Deadlines, slot: Slot) -> None:
    assert deadlines.wait(0.0) == float("inf")
    deadlines.begin_frame(slot, 0.0, again=False)
    assert deadlines.wait(0.0) == 0.0
    deadlines.end_frame(slot)
    assert deadlines.wait(0.0) == float("inf")


def test_looks_keep_their_distance(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 5.0, again=False)
    assert deadlines.due(5.0)
    assert not deadlines.due(5.1)
    assert deadlines.wait(5.1) == pytest.approx(0.15)
    assert Deadlines(0.001, 0.001)._every == SHORTEST_LOOK


def test_a_frame_is_late_counted_from_its_first_byte(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 0.0, again=False)
    deadlines.begin_frame(slot, 9.0, again=False)  # more of the same frame
    assert deadlines.late_frames(10.0) == []
    assert deadlines.late_frames(10.1) == [slot]


def test_another_frame_has_its_own_time(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 0.0, again=False)
    deadlines.begin_frame(slot, 9.0, again=True)
    assert deadlines.late_frames(18.0) == []


def test_a_login_is_late_until_somebody_has_logged_in() -> None:
    deadlines = Deadlines(10.0, 30.0, login_timeout=5.0)
    slot = open_slot(Recorder())
    deadlines.await_login(slot, 100.0)
    assert deadlines.late_logins(105.0) == []
    assert deadlines.late_logins(105.1) == [slot]
    connection_of(slot).authenticate("ann")
    assert deadlines.late_logins(105.1) == []
    assert deadlines.wait(105.1) == float("inf")  # it is not looked at any more


def test_without_a_limit_no_login_is_late(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.await_login(slot, 0.0)
    assert deadlines.wait(0.0) == float("inf")


def test_time_in_which_nobody_listened_does_not_count(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 0.0, again=False)
    slot.paused = True
    assert deadlines.late_frames(100.0) == []
    deadlines.restart_frame(slot, 100.0)
    slot.paused = False
    assert deadlines.late_frames(109.0) == []
    assert deadlines.late_frames(111.0) == [slot]


def test_restarting_begins_nothing(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.restart_frame(slot, 0.0)
    assert deadlines.late_frames(100.0) == []


def test_a_slow_reader_has_its_time_and_is_forgotten_when_it_reads(deadlines: Deadlines, slot: Slot) -> None:
    slot.over_since = 1.0
    deadlines.watch_slow(slot)
    assert deadlines.slow_readers(31.0) == []
    assert deadlines.slow_readers(31.1) == [slot]
    slot.over_since = 0.0
    assert deadlines.slow_readers(100.0) == []
    assert deadlines.wait(100.0) == float("inf")


def test_an_ending_has_its_limit_and_needs_no_frame(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 0.0, again=False)
    deadlines.begin_end(slot, 0.0, 1.0)
    assert deadlines.late_frames(100.0) == []
    assert deadlines.overdue_ends(1.0) == []
    assert deadlines.overdue_ends(1.1) == [slot]


def test_a_closed_connection_has_no_deadlines(deadlines: Deadlines, slot: Slot) -> None:
    deadlines.begin_frame(slot, 0.0, again=False)
    slot.over_since = 1.0
    deadlines.watch_slow(slot)
    deadlines.begin_end(slot, 0.0, 1.0)
    deadlines.forget(slot)
    assert deadlines.wait(100.0) == float("inf")
