"""A slot's outbox and its bounds."""

from __future__ import annotations

import threading

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.slot import State, as_body
from tests.core.slots import Recorder, open_slot

REPLY = (1, 0, bytes(384))  # 400 bytes on the wire


def test_over_the_mark_the_client_is_watched_and_over_twice_that_closed() -> None:
    outlet = Recorder(send_buffer=1000)
    slot = open_slot(outlet)
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
def test_replies_are_taken_until_our_side_is_shut(state: State) -> None:
    slot = open_slot(Recorder())
    slot.state = state
    assert slot.queue(0, REPLY)


def test_nothing_is_taken_once_our_side_is_shut() -> None:
    slot = open_slot(Recorder())
    slot.state = State.LINGERING
    assert not slot.queue(0, REPLY)
    assert not slot.push(0, 1, 0, b"")


def test_a_reply_of_another_generation_is_not_taken() -> None:
    slot = open_slot(Recorder())
    assert not slot.queue(-1, REPLY)
    assert not slot.queue(1, REPLY)


def test_parking_needs_a_client_that_is_still_behind() -> None:
    slot = open_slot(Recorder(send_buffer=1000))
    slot.unsent = 1001
    assert slot.park(slot, 1000)
    slot.unsent = 1000
    assert not slot.park(slot, 1000)
    assert slot.parked == [slot]


def test_idle_is_who_has_nothing_waiting_and_nothing_running() -> None:
    slot = open_slot(Recorder())
    assert slot.idle
    with slot.owner:
        assert [slot.idle] == [False]
    slot.concurrent.add(object())  # type: ignore[arg-type]
    assert (slot.idle, slot.waiting) == (False, 1)


def test_pushes_of_many_threads_are_all_there_and_counted() -> None:
    slot = open_slot(Recorder(send_buffer=1 << 20))
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
