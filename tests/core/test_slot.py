"""A slot's outbox and its bounds."""

from __future__ import annotations

import threading

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Route
from commscaffoldd.core.slot import Slot, State, as_body
from tests.core.parts import Parts
from tests.core.slots import Recorder, begin_concurrent, connection_of, end_concurrent, owned

REPLY = (1, 0, bytes(384))  # 400 bytes on the wire


def lifecycle_call(slot: Slot) -> LifecycleCall:
    return LifecycleCall(connection_of(slot), "", Route(0, print, "", "connection_opened", "pool"))


def test_over_the_mark_the_client_is_watched_and_over_twice_that_closed(parts: Parts) -> None:
    outlet = Recorder(send_buffer=1000)
    slot = parts.open_slot(outlet, "standard")
    assert [slot.queue(0, REPLY) for _ in range(2)] == [True, True]
    assert (slot.unsent, slot.over_since) == (800, 0.0)
    assert slot.queue(0, REPLY)
    assert slot.over_since
    assert outlet.slow == [slot]
    assert [slot.queue(0, REPLY) for _ in range(3)] == [True] * 3
    assert slot.unsent == 2400
    assert not slot.queue(0, REPLY)
    assert slot.unsent == 2400
    assert outlet.closings == [(0, reasons.SLOW_READER, False)]
    assert outlet.slow == [slot]


@pytest.mark.parametrize("state", [State.OPEN, State.DRAINING])
def test_replies_are_taken_until_our_side_is_shut(parts: Parts, state: State) -> None:
    slot = parts.open_slot(Recorder(), "standard")
    slot.state = state
    assert slot.queue(0, REPLY)


def test_nothing_is_taken_once_our_side_is_shut(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(), "standard")
    slot.state = State.LINGERING
    assert not slot.queue(0, REPLY)
    assert not slot.push(0, 1, 0, b"")


def test_a_reply_of_another_generation_is_not_taken(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(), "standard")
    assert not slot.queue(-1, REPLY)
    assert not slot.queue(1, REPLY)


def test_parking_needs_a_client_that_is_still_behind(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(send_buffer=1000), "standard")
    slot.unsent = 1001
    assert slot.park(slot, 1000)
    slot.unsent = 1000
    assert not slot.park(slot, 1000)
    assert slot.parked == [slot]


def test_idle_is_who_has_nothing_waiting_and_nothing_running(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(), "standard")
    assert slot.idle
    with owned(slot):
        assert (slot.owned, slot.try_own(), slot.idle, slot.waiting) == (True, False, False, 0)
    begin_concurrent(slot)
    assert (slot.owned, slot.idle, slot.waiting) == (False, False, 1)
    end_concurrent(slot)
    assert slot.idle


def test_who_submits_first_has_the_right_to_run_and_keeps_it_while_something_waits(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(), "standard")
    first, second = lifecycle_call(slot), lifecycle_call(slot)
    assert slot.submit([first])
    assert not slot.submit([second])
    assert slot.pending == [first, second]
    assert not slot.disown_if_done()
    assert slot.owned
    slot.pending.clear()
    assert slot.disown_if_done()
    assert slot.idle


def test_a_slot_is_cleared_but_for_its_generation(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(send_buffer=10), "standard")
    slot.generation = 7
    slot.paused = True
    assert slot.queue(7, REPLY)
    assert slot.park(slot, 10)
    slot.clear()
    assert (slot.connection, slot.paused, slot.parked, slot.over_since, slot.generation) == (None, False, [], 0.0, 7)


def test_pushes_of_many_threads_are_all_there_and_counted(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(send_buffer=1 << 20), "standard")
    threads = [threading.Thread(target=lambda: [slot.push(0, 1, 0, b"1234") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slot.outbox) == 2000
    assert slot.unsent == 2000 * 20


def test_a_body_is_bytes_in_the_end() -> None:
    class Bytes(bytes):
        pass

    assert type(as_body(Bytes(b"x"))) is bytes
    assert as_body(memoryview(b"abcd")[::2]) == b"ac"
