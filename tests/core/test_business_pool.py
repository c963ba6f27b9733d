"""The business pool: its numbers, and what it asks of the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from commscaffoldd.core.backlog import Backlog
from commscaffoldd.core.business_pool import BusinessPool
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.pool_loop import PoolLoop, ReadyQueue
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.slot import Slot, State
from commscaffoldd.core.turn import TurnRunner
from tests.core.slots import Recorder, connection_of, open_slot
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

    def check_if_draining(self, slot: Slot) -> None:
        if slot.state is State.DRAINING:
            self.checked.append(slot)

    def wake(self) -> None:
        self.woken += 1


class Bench:
    def __init__(self) -> None:
        self.engine = Asked()
        self.handed_back: list[Slot] = []
        self.gate = threading.Event()  # handlers wait for it
        self.seen: list[bytes] = []
        self.ready: ReadyQueue = SimpleQueue()
        self.backlog = Backlog(10, threads=2)
        runner = HandlerRunner(FailureLog())
        loops = [
            PoolLoop(
                number,
                self.ready,
                self.backlog,
                self.engine,  # type: ignore[arg-type]
                TurnRunner("pool", runner, Counters(), self.engine.send_buffer, lambda _: None),
                self.handed_back.append,
            ).run
            for number in range(2)
        ]
        self.pool = BusinessPool(loops, lambda: self.ready.put(None))
        self.slot = open_slot(Recorder())

    def request(self, body: bytes = b"", mode: Mode = "pool") -> Request:
        return Request(connection_of(self.slot), 1, 0, body, Route(1, self._handle, "test", "handle", mode))

    def _handle(self, request: Any) -> None:
        assert self.gate.wait(20)
        self.seen.append(request.body)

    def submit(self, *requests: Request) -> None:
        self.backlog.submitted += len(requests)
        if self.slot.submit(list(requests)):
            self.ready.put(self.slot)

    def submit_concurrent(self, request: Request) -> None:
        self.backlog.submitted += 1
        self.slot.concurrent.add(request)
        self.ready.put((self.slot, request))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.pool.start()
    yield made
    made.gate.set()
    assert made.pool.stop(20) == 0


def test_depth_and_room(bench: Bench) -> None:
    assert (bench.backlog.depth, bench.backlog.room, bench.backlog.excess) == (0, 10, -5)
    bench.submit(*[bench.request() for _ in range(6)])
    assert (bench.backlog.depth, bench.backlog.room, bench.backlog.excess) == (6, 4, 1)
    bench.gate.set()
    wait_until(lambda: bench.backlog.depth == 0)
    assert bench.backlog.room == 10


def test_messages_that_come_while_others_run_are_run_after_them(bench: Bench) -> None:
    for body in (b"1", b"2", b"3"):
        bench.submit(bench.request(body))
    bench.gate.set()
    wait_until(lambda: len(bench.seen) == 3)
    assert bench.seen == [b"1", b"2", b"3"]
    wait_until(lambda: bench.slot.idle)


def test_a_message_that_comes_between_the_last_look_and_the_release_is_not_lost(bench: Bench) -> None:
    """The reactor has found the owner's right taken, and relies on whoever has it to look once more."""

    class Owner:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def acquire(self, *, blocking: bool) -> bool:
            return self.lock.acquire(blocking=blocking)

        def locked(self) -> bool:
            return self.lock.locked()

        def release(self) -> None:
            if not bench.slot.pending:
                assert not bench.slot.submit([bench.request()])
            self.lock.release()

    bench.slot.owner = Owner()  # type: ignore[assignment]
    assert bench.slot.owner.acquire(blocking=False)
    assert not bench.slot.disown_if_done()
    assert bench.slot.owner.locked()


def test_an_inline_message_goes_back_to_the_reactor_with_the_owners_right(bench: Bench) -> None:
    bench.gate.set()
    bench.submit(bench.request(b"pool"), bench.request(b"inline", "inline"))
    wait_until(lambda: bench.handed_back)
    assert bench.handed_back == [bench.slot]
    assert bench.slot.owner.locked()
    assert bench.seen == [b"pool"]


def test_a_paused_connection_is_resumed_when_few_messages_wait(bench: Bench) -> None:
    bench.slot.paused = True
    bench.submit(bench.request())
    bench.gate.set()
    wait_until(lambda: bench.engine.resumed)


@pytest.mark.parametrize("mode", ["pool", "concurrent"])
def test_a_draining_connection_is_looked_at_when_its_last_handler_returns(bench: Bench, mode: Mode) -> None:
    request = bench.request(mode=mode)
    if mode == "concurrent":
        bench.submit_concurrent(request)
    else:
        bench.submit(request)
    assert not bench.slot.idle
    bench.slot.state = State.DRAINING
    assert bench.engine.checked == []
    bench.gate.set()
    wait_until(lambda: bench.engine.checked)
    assert bench.slot.idle


def test_concurrent_messages_run_beside_each_other_and_beside_others(bench: Bench) -> None:
    both = threading.Barrier(2)
    request = bench.request(mode="concurrent")
    meeting = Request(
        request.connection, 1, 0, b"", Route(1, lambda _: both.wait(20) and None, "test", "meet", "concurrent")
    )
    bench.submit_concurrent(meeting)
    bench.submit_concurrent(Request(request.connection, 1, 0, b"", meeting.route))
    wait_until(lambda: bench.slot.idle)
    assert bench.backlog.depth == 0


def test_a_waiting_concurrent_message_is_not_run_after_a_plugin_has_closed(bench: Bench) -> None:
    bench.gate.set()
    connection_of(bench.slot).close()
    bench.submit_concurrent(bench.request(b"never", "concurrent"))
    wait_until(lambda: bench.slot.idle)
    assert bench.seen == []


def test_the_reactor_is_woken_when_the_full_queue_is_half_empty(bench: Bench) -> None:
    bench.submit(bench.request())
    bench.backlog.full = True
    bench.gate.set()
    wait_until(lambda: bench.engine.woken)


def test_handlers_that_do_not_return_are_counted(bench: Bench) -> None:
    bench.submit(bench.request())
    assert bench.pool.stop(0.05) == 1
    bench.gate.set()
