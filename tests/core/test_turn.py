"""A turn: what runs, what waits, and who has the owner's right after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.settings import QuarantineSettings
from commscaffoldd.core.slot import Ready, Slot
from commscaffoldd.core.turn import MESSAGES, Outcome, TurnRunner
from tests.core.slots import Recorder, connection_of, open_slot
from tests.core.turn_rig import TurnRig, turn_rig

SEND_BUFFER = 2000


class Bench:
    """A client whose messages are answered with their own bodies."""

    def __init__(self, rig: TurnRig, seen: list[bytes]) -> None:
        self.rig = rig
        self.slot = rig.slot
        self.seen = seen

    def run(self) -> tuple[int, Outcome]:
        return self.rig.turns.run(self.slot)


@pytest.fixture
def bench(each_engine: str) -> Iterator[Bench]:
    assert each_engine
    seen: list[bytes] = []

    def echo(request: Any) -> bytes:
        seen.append(request.body)
        return bytes(request.body)

    with turn_rig({"pool": echo, "inline": echo}, SEND_BUFFER) as rig:
        yield Bench(rig, seen)


def test_all_that_waits_is_run_in_order(bench: Bench) -> None:
    bench.rig.arrive(b"0", b"1", b"2")
    assert bench.run() == (3, Outcome.DONE)
    assert bench.seen == [b"0", b"1", b"2"]
    assert bench.slot.pending == []
    assert bench.rig.delivered() == [b"0", b"1", b"2"]


def test_nothing_waiting_is_done(bench: Bench) -> None:
    assert bench.run() == (0, Outcome.DONE)


def test_a_long_queue_gives_others_their_share(bench: Bench) -> None:
    bench.rig.arrive(*[b""] * (MESSAGES + 1))
    assert bench.run() == (MESSAGES, Outcome.MORE)
    assert bench.run() == (1, Outcome.DONE)


def test_the_other_kind_of_thread_goes_on_where_this_one_stops(bench: Bench) -> None:
    bench.rig.arrive(b"mine")
    bench.rig.arrive(b"theirs", mode="inline")
    bench.rig.arrive(b"mine again")
    assert bench.run() == (1, Outcome.ELSEWHERE)
    assert bench.run() == (0, Outcome.ELSEWHERE)
    assert bench.rig.waiting() == [b"theirs", b"mine again"]


def test_a_client_that_does_not_read_is_parked(bench: Bench) -> None:
    bench.rig.arrive(*[bytes(1200)] * 4)
    assert bench.run() == (2, Outcome.PARKED)
    assert bench.slot.parked == [bench.slot]
    assert len(bench.slot.pending) == 2


def test_after_a_plugin_has_closed_waiting_messages_are_not_run_but_hooks_are(bench: Bench) -> None:
    bench.rig.arrive(b"never")
    hooks: list[Any] = []
    call = LifecycleCall(bench.rig.connection, "why", Route(0, hooks.append, "", "connection_closed", "pool"))
    bench.rig.running.dispatcher.submit(bench.slot, [call])
    bench.rig.connection.close()
    assert bench.run() == (2, Outcome.DONE)
    assert bench.seen == []
    assert [call.reason for call in hooks] == ["why"]


def test_a_late_reply_goes_nowhere_and_is_counted(bench: Bench) -> None:
    bench.rig.arrive(b"late")
    bench.rig.rig.engine.close(bench.slot, "made by the test")
    assert bench.run() == (1, Outcome.DONE)
    assert bench.seen == [b"late"]
    assert bench.slot.outbox == []
    assert bench.rig.counters.late_replies == 1
    assert bench.rig.delivered() == []


# -- another thread at the worst moment: only a Python slot lets a test be that thread --------------------------


class PythonBench:
    """A Python slot for which four messages wait, too much to be sent before the client reads."""

    def __init__(self) -> None:
        outlet = Recorder(SEND_BUFFER)
        self.slot = open_slot(outlet)
        self.turns = TurnRunner(
            "pool",
            HandlerRunner(FailureLog(), Quarantine(QuarantineSettings(), {}, {})),
            Counters(),
            SEND_BUFFER,
            outlet.flush_soon,
        )
        for _ in range(4):
            self.add(bytes(1200))

    def add(self, body: bytes) -> None:
        route = Route(1, lambda request: request.body, "test", "handle", "pool")
        self.slot.pending.append(Request(connection_of(self.slot), 1, 0, body, route))


def test_when_it_is_parked_the_turn_has_let_go_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parking gives the slot away: whoever flushes may hand it to another thread in the same instant."""
    bench = PythonBench()
    elsewhere: list[int] = []
    park = Slot.park

    def park_and_lose(slot: Slot, work: Ready, send_buffer: int) -> bool:
        parked = park(slot, work, send_buffer)
        elsewhere.append(len(slot.pending))
        slot.pending.clear()  # another thread has run all of it by now
        bench.add(b"new")
        return parked

    monkeypatch.setattr(Slot, "park", park_and_lose)
    bench.turns.run(bench.slot)
    assert elsewhere == [2]
    assert [work.body for work in bench.slot.pending if isinstance(work, Request)] == [b"new"]


def test_a_client_that_reads_just_then_is_not_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = PythonBench()
    monkeypatch.setattr(Slot, "park", lambda *_: False)
    assert bench.turns.run(bench.slot) == (2, Outcome.MORE)
