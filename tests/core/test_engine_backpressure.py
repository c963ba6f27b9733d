"""The engine over real sockets: clients that do not read, messages that wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from tests.core.engine_rig import EngineRig, engine_rig, fill, turns_in
from tests.core.peers import STANDARD

pytestmark = pytest.mark.usefixtures("each_engine")

HELLO = STANDARD.encode(1, 5, b"hello")


@pytest.fixture
def rig() -> Iterator[EngineRig]:
    with engine_rig() as made:
        yield made


# -- clients that do not read ------------------------------------------------------------------------------


def test_who_does_not_read_is_not_read_from_until_it_does() -> None:
    with engine_rig(send_buffer=50_000) as rig:
        peer, slot = rig.open()
        replies = fill(rig, slot, 50_000)
        assert slot.blocked
        peer.sock.sendall(HELLO)
        rig.until(lambda: slot.paused)
        assert rig.frames == []
        assert rig.engine.gauges()["paused"] == 1
        assert turns_in(rig, 0.2) <= 12  # the deadlines' looks, and no spinning
        rig.until(lambda: peer.bodies() and rig.frames)
        rig.until(lambda: len(peer.bodies()) == replies)
        assert not slot.paused
        assert slot.over_since == 0.0
        assert rig.engine.gauges()["paused"] == 0


def test_a_parked_slot_is_given_back_when_the_client_reads() -> None:
    with engine_rig(send_buffer=50_000) as rig:
        peer, slot = rig.open()
        fill(rig, slot, 50_000)
        assert slot.park(slot, 50_000)
        rig.poll()
        assert rig.unparked == []
        rig.until(lambda: peer.bodies() and rig.unparked)
        assert rig.unparked == [slot]


def test_a_parked_slot_is_given_back_when_the_client_goes() -> None:
    with engine_rig(send_buffer=50_000) as rig:
        peer, slot = rig.open()
        fill(rig, slot, 50_000)
        assert slot.park(slot, 50_000)
        peer.abort()
        rig.until(lambda: rig.closed)
        assert rig.unparked == [slot]


def test_who_never_reads_is_closed() -> None:
    with engine_rig(send_buffer=50_000, slow_reader_timeout=0.1) as rig:
        _, slot = rig.open()
        fill(rig, slot, 50_000)
        rig.until(lambda: rig.closed)
        ((_, _, reason, detail),) = rig.closed
        assert reason == reasons.SLOW_READER
        assert "above send_buffer = 50000 for 0.1 s" in detail
        assert rig.engine.counters.slow_readers == 1


def test_pushes_far_over_the_mark_close_at_once() -> None:
    with engine_rig(send_buffer=50_000, slow_reader_timeout=600) as rig:
        _, slot = rig.open()
        fill(rig, slot, 100_000)
        assert not slot.push(slot.generation, 1, 0, b"one too many")
        rig.until(lambda: rig.closed)
        assert rig.reasons == [reasons.SLOW_READER]
        assert slot.unsent == 0


def test_all_of_a_large_reply_arrives_in_order(rig: EngineRig) -> None:
    peer, slot = rig.open()
    bodies = [bytes([number]) * 300_000 for number in range(6)]
    for body in bodies:
        assert rig.reply(slot, body)
    rig.until(lambda: peer.bodies() == bodies)
    assert slot.unsent == 0


# -- backpressure ------------------------------------------------------------------------------------------


def test_with_too_many_messages_waiting_a_connection_is_paused_and_resumed() -> None:
    with engine_rig(per_connection=2) as rig:
        peer, slot = rig.open()
        work = Request(slot.connection, 1, 0, b"", Route(1, lambda _: None, "", "", "pool"))  # type: ignore[arg-type]
        slot.pending.extend([work] * 3)
        peer.sock.sendall(HELLO)
        rig.until(lambda: slot.paused)
        assert turns_in(rig, 0.1) <= 2
        assert rig.frames == []
        slot.pending.clear()
        rig.engine.resume_soon(slot)
        rig.until(lambda: rig.frames)


def test_resuming_too_early_pauses_again() -> None:
    with engine_rig(per_connection=2) as rig:
        peer, slot = rig.open()
        work = Request(slot.connection, 1, 0, b"", Route(1, lambda _: None, "", "", "pool"))  # type: ignore[arg-type]
        slot.pending.extend([work] * 3)
        peer.sock.sendall(HELLO)
        rig.until(lambda: slot.paused)
        rig.engine.resume_soon(slot)
        turns_in(rig, 0.05)
        assert slot.paused
        assert rig.frames == []
        slot.pending.clear()


def test_without_a_budget_everybody_is_paused_and_resumed_together(rig: EngineRig) -> None:
    clients = [rig.open() for _ in range(3)]
    rig.budget = 0
    for peer, _ in clients:
        peer.sock.sendall(HELLO)
    rig.until(lambda: all(slot.paused for _, slot in clients))
    assert turns_in(rig, 0.1) <= 2
    rig.budget = 10
    rig.engine.resume_all()
    rig.until(lambda: len(rig.frames) == 3)


def test_a_budget_that_runs_out_delays_the_others_and_pauses_nobody(rig: EngineRig) -> None:
    """Else nobody would resume them: the queue may be empty again before the reactor has seen it full."""
    clients = [rig.open() for _ in range(3)]
    for peer, _ in clients:
        peer.sock.sendall(HELLO * 3)
    rig.budget = 1
    rig.until(lambda: rig.frames)
    assert len(rig.frames) == 3  # one read's worth
    assert not any(slot.paused for _, slot in clients)
    rig.until(lambda: len(rig.frames) == 9)
