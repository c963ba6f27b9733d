"""The business pool: its numbers, and what it asks of the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from commscaffoldd.core.business_pool import BusinessPool
from commscaffoldd.core.route import Mode
from commscaffoldd.core.slot import Slot, State
from tests.core.slots import Recorder, open_slot
from tests.core.turn_rig import TurnRig, turn_rig
from tests.core.waiting import wait_until


class Asked:
    """What of an engine the pool uses, written down."""

    send_buffer = 100_000

    def __init__(self) -> None:
        self.resumed: list[Slot] = []
        self.checked: list[Slot] = []
        self.woken = 0

    def resume_if_few(self, slot: Slot) -> None:
        if slot.paused and slot.waiting <= 2:
            self.resumed.append(slot)

    def check_drained(self, slot: Slot) -> None:
        self.checked.append(slot)

    def check_if_draining(self, slot: Slot) -> None:
        if slot.state is State.DRAINING:
            self.checked.append(slot)

    def wake(self) -> None:
        self.woken += 1


class Bench:
    """Two business threads, and a client whose messages they handle."""

    def __init__(self, rig: TurnRig, seen: list[bytes], gate: threading.Event) -> None:
        self.rig = rig
        self.slot = rig.slot
        self.backlog = rig.backlog
        self.seen = seen
        self.gate = gate  # handlers wait for it
        self.engine = Asked()
        self.handed_back: list[Slot] = []
        loops = [rig.running.make_loop(number, self.engine, self.handed_back.append) for number in range(2)]
        self.pool = BusinessPool(loops, lambda: rig.running.put(None))


@pytest.fixture
def bench(each_engine: str) -> Iterator[Bench]:
    assert each_engine
    seen: list[bytes] = []
    gate = threading.Event()
    both = threading.Barrier(2)

    def handle(request: Any) -> None:
        if request.body == b"meet":
            both.wait(20)
        else:
            assert gate.wait(20)
        seen.append(request.body)

    with turn_rig({"pool": handle, "inline": handle, "concurrent": handle}, Asked.send_buffer) as rig:
        made = Bench(rig, seen, gate)
        made.pool.start()
        yield made
        gate.set()
        assert made.pool.stop(20) == 0


def test_depth_and_room(bench: Bench) -> None:
    assert (bench.backlog.depth, bench.backlog.room, bench.backlog.excess) == (0, 10, -5)
    bench.rig.arrive(*[b""] * 6)
    assert (bench.backlog.depth, bench.backlog.room, bench.backlog.excess) == (6, 4, 1)
    bench.gate.set()
    wait_until(lambda: bench.backlog.depth == 0)
    assert bench.backlog.room == 10


def test_messages_that_come_while_others_run_are_run_after_them(bench: Bench) -> None:
    for body in (b"1", b"2", b"3"):
        bench.rig.arrive(body)
    bench.gate.set()
    wait_until(lambda: len(bench.seen) == 3)
    assert bench.seen == [b"1", b"2", b"3"]
    wait_until(lambda: bench.slot.idle)


def test_a_message_that_comes_between_the_last_look_and_the_release_is_not_lost() -> None:
    """The reactor has found the owner's right taken, and relies on whoever has it to look once more.

    A native slot does both in one step.
    """
    slot = open_slot(Recorder())

    class Owner:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def acquire(self, *, blocking: bool) -> bool:
            return self.lock.acquire(blocking=blocking)

        def locked(self) -> bool:
            return self.lock.locked()

        def release(self) -> None:
            if not slot.pending:
                assert not slot.submit([object()])  # type: ignore[list-item]
            self.lock.release()

    slot.owner = Owner()  # type: ignore[assignment]
    assert slot.owner.acquire(blocking=False)
    assert not slot.disown_if_done()
    assert slot.owner.locked()


def test_an_inline_message_goes_back_to_the_reactor_with_the_owners_right(bench: Bench) -> None:
    bench.rig.arrive(b"pool")
    bench.rig.arrive(b"inline", mode="inline")
    bench.gate.set()
    wait_until(lambda: bench.handed_back)
    assert bench.handed_back == [bench.slot]
    assert bench.slot.owned
    assert bench.seen == [b"pool"]


def test_a_paused_connection_is_resumed_when_few_messages_wait(bench: Bench) -> None:
    bench.rig.arrive(b"")
    bench.slot.paused = True
    bench.gate.set()
    wait_until(lambda: bench.engine.resumed)


@pytest.mark.parametrize("mode", ["pool", "concurrent"])
def test_a_draining_connection_is_looked_at_when_its_last_handler_returns(bench: Bench, mode: Mode) -> None:
    bench.rig.arrive(b"", mode=mode)
    assert not bench.slot.idle
    bench.slot.state = State.DRAINING
    assert bench.engine.checked == []
    bench.gate.set()
    wait_until(lambda: bench.engine.checked)
    assert bench.slot.idle


def test_concurrent_messages_run_beside_each_other_and_beside_others(bench: Bench) -> None:
    bench.rig.arrive(b"meet", b"meet", mode="concurrent")
    wait_until(lambda: bench.slot.idle)
    assert bench.seen == [b"meet", b"meet"]
    assert bench.backlog.depth == 0


def test_a_pooled_message_runs_beside_a_concurrent_one(bench: Bench) -> None:
    bench.rig.arrive(b"meet", mode="concurrent")
    bench.rig.arrive(b"meet")
    wait_until(lambda: bench.slot.idle)
    assert bench.seen == [b"meet", b"meet"]


def test_a_waiting_concurrent_message_is_not_run_after_a_plugin_has_closed(bench: Bench) -> None:
    bench.rig.arrive(b"runs", b"runs", b"never", mode="concurrent")
    bench.rig.connection.close()
    bench.gate.set()
    wait_until(lambda: bench.slot.idle)
    assert b"never" not in bench.seen
    assert bench.backlog.depth == 0


def test_the_reactor_is_woken_when_the_full_queue_is_half_empty(bench: Bench) -> None:
    bench.rig.arrive(b"")
    bench.backlog.full = True
    bench.gate.set()
    wait_until(lambda: bench.engine.woken)


def test_handlers_that_do_not_return_are_counted(bench: Bench) -> None:
    bench.rig.arrive(b"")
    assert bench.pool.stop(0.05) == 1
    bench.gate.set()
