"""A turn: what runs, what waits, and who has the owner's right after it."""

from __future__ import annotations

from typing import Any

import pytest

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.slot import Ready, Slot
from commscaffoldd.core.turn import MESSAGES, Outcome, TurnRunner
from tests.core.slots import Recorder, connection_of, open_slot, take_over

SEND_BUFFER = 2000


class Bench:
    """One slot, and a runner for its pooled handlers."""

    def __init__(self) -> None:
        self.outlet = Recorder(SEND_BUFFER)
        self.slot = open_slot(self.outlet)
        self.seen: list[bytes] = []
        self.counters = Counters()
        self.turns = TurnRunner(
            "pool", HandlerRunner(FailureLog()), self.counters, SEND_BUFFER, self.outlet.flush_soon
        )

    def add(self, body: bytes, mode: Mode = "pool") -> None:
        self.slot.pending.append(
            Request(connection_of(self.slot), 1, 0, body, Route(1, self._handle, "test", "handle", mode))
        )

    def _handle(self, request: Request) -> bytes:
        self.seen.append(request.body)
        return request.body


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_all_that_waits_is_run_in_order(bench: Bench) -> None:
    for number in range(3):
        bench.add(b"%d" % number)
    assert bench.turns.run(bench.slot) == (3, Outcome.DONE)
    assert bench.seen == [b"0", b"1", b"2"]
    assert bench.slot.outbox == [(1, 0, b"0"), (1, 0, b"1"), (1, 0, b"2")]
    assert bench.slot.pending == []


def test_nothing_waiting_is_done(bench: Bench) -> None:
    assert bench.turns.run(bench.slot) == (0, Outcome.DONE)


def test_a_long_queue_gives_others_their_share(bench: Bench) -> None:
    for _ in range(MESSAGES + 1):
        bench.add(b"")
    assert bench.turns.run(bench.slot) == (MESSAGES, Outcome.MORE)
    assert bench.turns.run(bench.slot) == (1, Outcome.DONE)


def test_the_other_kind_of_thread_goes_on_where_this_one_stops(bench: Bench) -> None:
    bench.add(b"mine")
    bench.add(b"theirs", "inline")
    bench.add(b"mine again")
    assert bench.turns.run(bench.slot) == (1, Outcome.ELSEWHERE)
    assert bench.turns.run(bench.slot) == (0, Outcome.ELSEWHERE)
    assert [work.body for work in bench.slot.pending if isinstance(work, Request)] == [b"theirs", b"mine again"]


def test_a_client_that_does_not_read_is_parked(bench: Bench) -> None:
    for _ in range(4):
        bench.add(bytes(1200))
    assert bench.turns.run(bench.slot) == (2, Outcome.PARKED)
    assert bench.slot.parked
    assert len(bench.slot.pending) == 2


def test_when_it_is_parked_the_turn_has_let_go_of_everything(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parking gives the slot away: whoever flushes may hand it to another thread in the same instant."""
    for _ in range(4):
        bench.add(bytes(1200))
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


def test_a_client_that_reads_just_then_is_not_parked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        bench.add(bytes(1200))
    monkeypatch.setattr(Slot, "park", lambda *_: False)
    assert bench.turns.run(bench.slot) == (2, Outcome.MORE)


def test_after_a_plugin_has_closed_waiting_messages_are_not_run_but_hooks_are(bench: Bench) -> None:
    bench.add(b"never")
    hooks: list[Any] = []
    bench.slot.pending.append(
        LifecycleCall(connection_of(bench.slot), "why", Route(0, hooks.append, "", "connection_closed", "pool"))
    )
    connection_of(bench.slot).close()
    assert bench.turns.run(bench.slot) == (2, Outcome.DONE)
    assert bench.seen == []
    assert [call.reason for call in hooks] == ["why"]


def test_a_late_reply_goes_nowhere_and_is_counted(bench: Bench) -> None:
    bench.add(b"late")
    take_over(bench.slot)
    assert bench.turns.run(bench.slot) == (1, Outcome.DONE)
    assert bench.slot.outbox == []
    assert bench.counters.late_replies == 1
    assert bench.outlet.flushed == []
