"""The send queue and the sender's thread."""

from __future__ import annotations

from typing import Any

from commscaffoldd.core.sender import Sender, SendLoop, SendQueue
from commscaffoldd.core.slot import Slot
from tests.core.slots import Recorder
from tests.core.waiting import wait_until


def test_a_slot_waits_at_most_once() -> None:
    queue, slot, other = SendQueue(), Slot(0, Recorder()), Slot(1, Recorder())
    for _ in range(3):
        queue.put(slot)
    queue.put(other)
    assert queue.take() == [slot, other]


def test_what_comes_after_the_look_puts_the_slot_in_again() -> None:
    queue, slot = SendQueue(), Slot(0, Recorder())
    queue.put(slot)
    queue.take()
    queue.put(slot)
    assert queue.take() == [slot]


def test_at_the_end_all_before_is_taken_first() -> None:
    queue, slot = SendQueue(), Slot(0, Recorder())
    queue.put(slot)
    queue.close()
    assert queue.take() == [slot]
    assert queue.take() is None


def test_the_thread_hands_batches_to_the_engine_and_ends() -> None:
    written: list[Slot] = []

    class Engine:
        def write(self, slots: list[Slot], _counters: Any) -> None:
            written.extend(slots)

    queue, slots = SendQueue(), [Slot(index, Recorder()) for index in range(5)]
    sender = Sender(SendLoop(queue, Engine()).run, queue.close)  # type: ignore[arg-type]
    sender.start()
    for slot in slots:
        queue.put(slot)
    wait_until(lambda: len(written) == 5)
    sender.stop(10)
    assert not sender._thread.is_alive()
    assert written == slots
