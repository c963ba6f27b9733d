"""Flights: what becomes of replies on their way out, whoever does what meanwhile."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from commscaffoldd.core.settings import BusinessSettings
from commscaffoldd.core.slot import State
from tests.core.engine_rig import EngineRig, engine_rig
from tests.core.peers import Peer
from tests.core.reactor_rig import reactor_rig, route
from tests.core.waiting import wait_until

QUICK_RUNS = 20  # after so many a handler is known to be quick


@pytest.fixture(autouse=True)
def _native(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := why_no_native_engine():
        pytest.skip(missing)
    monkeypatch.setenv(VARIABLE, "native")


@pytest.fixture
def rig() -> Iterator[EngineRig]:
    with engine_rig(send_buffer=10_000) as made:
        yield made


def put(rig: EngineRig, slot: Any, body: bytes) -> None:
    """Queue a reply, as a handler would."""
    assert slot.queue(slot.generation, (1, 0, body))
    send_queue(rig).put(slot)


def launch(rig: EngineRig, slot: Any, body: bytes) -> None:
    """Queue a reply, and be the sender until it is on its way; `fly` does the rest."""
    put(rig, slot, body)
    send_queue(rig).writer.launch(send_queue(rig).take())


def send_queue(rig: EngineRig) -> Any:
    return rig.engine.send_queue  # type: ignore[union-attr]


def fly(rig: EngineRig) -> None:
    """Be the sender, until all is sent."""
    send_queue(rig).writer.fly()
    send_queue(rig).writer.land(rig.counters)
    send_queue(rig).close()
    send_queue(rig).run(rig.counters)


def received(peer: Peer, frames: int) -> bool:
    peer.pump()
    return len(peer.frames) >= frames


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_replies_that_come_while_others_fly_leave_after_them(rig: EngineRig) -> None:
    peer, slot = rig.open()
    launch(rig, slot, b"1")
    put(rig, slot, b"2")
    put(rig, slot, b"3")
    fly(rig)
    wait_until(lambda: received(peer, 3))
    assert peer.bodies() == [b"1", b"2", b"3"]
    assert slot.unsent == 0


def test_what_the_reactor_writes_does_not_overtake_what_flies(rig: EngineRig) -> None:
    peer, slot = rig.open()
    launch(rig, slot, b"first")
    rig.reply(slot, b"second")
    fly(rig)
    wait_until(lambda: received(peer, 2))
    assert peer.bodies() == [b"first", b"second"]


def test_a_connection_that_is_closed_while_its_replies_fly_keeps_its_descriptor_until_they_land(
    rig: EngineRig,
) -> None:
    peer, slot = rig.open()
    fd = slot.fd  # type: ignore[attr-defined]
    launch(rig, slot, b"last words")
    rig.engine.close(slot, "test")
    assert is_open(fd), "another client could have got it, and the words"
    assert not slot.queue(slot.generation - 1, (1, 0, b"late"))
    fly(rig)
    assert not is_open(fd)
    wait_until(lambda: peer.gone)
    assert peer.bodies() == [b"last words"]
    assert slot.unsent == 0


def test_the_next_client_of_a_slot_gets_nothing_of_what_flew_for_the_last(rig: EngineRig) -> None:
    old, slot = rig.open()
    launch(rig, slot, b"for the old one")
    rig.engine.close(slot, "test")
    slot.state = State.FREE
    rig.engine.pool._free.appendleft(slot)  # before its time
    new, again = rig.open()
    assert again is slot
    put(rig, slot, b"for the new one")
    fly(rig)
    wait_until(lambda: old.gone)
    wait_until(lambda: received(new, 1))
    assert (old.bodies(), new.bodies()) == ([b"for the old one"], [b"for the new one"])


def test_a_client_that_does_not_read_gets_all_of_it_in_the_end(rig: EngineRig) -> None:
    peer, slot = rig.open()
    sender = threading.Thread(target=send_queue(rig).run, args=(rig.counters,))
    sender.start()
    sent = 0
    while not slot.blocked:
        if slot.unsent <= 10_000:  # as turns do: what is above waits
            put(rig, slot, b"%8d" % sent + bytes(5000))
            sent += 1
    wait_until(lambda: received(peer, sent), rig.poll)
    assert [int(body[:8]) for body in peer.bodies()] == list(range(sent))
    send_queue(rig).close()
    sender.join(20)
    assert slot.unsent == 0


def test_one_flight_for_a_connection_and_batch(rig: EngineRig) -> None:
    (_, slot), (_, other) = rig.open(), rig.open()
    for _ in range(3):
        put(rig, slot, b"hello")
    put(rig, other, b"hello")
    fly(rig)
    assert (rig.counters.messages_out, rig.counters.sends, rig.counters.bytes_out) == (4, 2, 84)
    assert (slot.messages_out, other.messages_out) == (3, 1)


def test_the_reactor_is_woken_for_work_that_a_landing_has_freed(rig: EngineRig) -> None:
    """It wakes one more business thread if nobody takes that work: see queues.pyx."""
    _, slot = rig.open()
    slot.unsent = 20_000
    assert slot.park(slot, 10_000)
    slot.unsent = 0
    engine: Any = rig.engine
    engine.landed([slot], [])
    assert rig.unparked == [slot]
    assert rig.engine._woken


def test_replies_do_not_wait_for_a_handler_that_was_quick_until_now() -> None:
    gate = threading.Event()

    def handle(request: Any) -> bytes:
        if request.body == b"block":
            assert gate.wait(20)
        return bytes(request.body)

    with reactor_rig(route(1, handle)) as rig:
        first, second = rig.connect(), rig.connect()
        for number in range(QUICK_RUNS):
            first.sock.sendall(first.encode(1, b"quick", number))
            rig.until(functools.partial(received, first, number + 1))
        first.sock.sendall(first.encode(1, b"before it", 100) + first.encode(1, b"block", 101))
        second.sock.sendall(second.encode(1, b"beside it", 1))
        try:
            rig.until(lambda: received(first, QUICK_RUNS + 1))
            rig.until(lambda: received(second, 1))
        finally:
            gate.set()
        rig.until(lambda: received(first, QUICK_RUNS + 2))


@pytest.fixture
def _same_interval_afterwards() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_same_interval_afterwards")
def test_the_switch_interval_is_short_only_beside_handlers_that_are_not_known_to_be_quick() -> None:
    seen: list[float] = []

    def handle(request: Any) -> bytes:
        seen.append(round(sys.getswitchinterval(), 6))
        if request.body == b"slow":
            time.sleep(0.001)  # what makes it slow is that it takes its time
        return b""

    with reactor_rig(route(1, handle), business=BusinessSettings(switch_interval=0.00005)) as rig:
        peer = rig.connect()

        def call(body: bytes) -> float:
            number = len(peer.frames)
            peer.sock.sendall(peer.encode(1, body, number))
            rig.until(functools.partial(received, peer, number + 1))
            return seen[-1]

        assert call(b"") == 0.00005, "nothing is known of it"
        wait_until(lambda: call(b"") == 0.0005)  # it is quick; on a busy machine it may take it some time to show
        call(b"slow")
        assert call(b"") == 0.00005, "it was slow"
    assert sys.getswitchinterval() == pytest.approx(0.0005)
