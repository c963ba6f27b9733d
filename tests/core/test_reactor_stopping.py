"""The reactor's end: what was received is finished, and nothing is waited for too long."""

from __future__ import annotations

import threading
import time

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Mode
from tests.core.reactor_rig import reactor_rig, route
from tests.core.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

ERROR = 0xFFFFFFFF
MODES: tuple[Mode, ...] = ("pool", "inline", "concurrent")


def echo(request: Request) -> bytes:
    return request.body


@pytest.mark.parametrize("mode", MODES)
def test_stopping_finishes_what_was_received_says_go_away_and_closes(mode: Mode) -> None:
    gate = threading.Event()
    closings: list[str] = []

    def wait(request: Request) -> bytes:
        assert gate.wait(20) or mode == "inline"
        return request.body

    if mode == "inline":
        gate.set()
    with reactor_rig(route(5, wait, mode), closed=lambda call: closings.append(call.reason)) as rig:
        peer = rig.connect()
        peer.sock.sendall(peer.encode(5, b"x") * 5)
        rig.until(lambda: rig.total("messages_in") == 5)
        rig.reactor.stop(20.0)
        threading.Timer(0.1, gate.set).start()
        began = time.monotonic()
        rig.reactor.run()
        assert time.monotonic() - began < 10
        wait_until(lambda: peer.gone)
        assert peer.bodies() == [b"x"] * 5 + [b""]
        assert peer.frames[-1][0] == ERROR - 1
        wait_until(lambda: closings == [reasons.STOPPING])


def test_messages_of_clients_that_have_gone_are_finished_too() -> None:
    """The pool's part, and the part that only the reactor can run."""
    gate, handled = threading.Event(), []

    def first(_: Request) -> None:
        assert gate.wait(20)

    def note(request: Request) -> None:
        handled.append(request.body)

    with reactor_rig(route(5, first), route(6, note), route(7, note, "inline"), closed=lambda _: None) as rig:
        peer = rig.connect()
        peer.sock.sendall(peer.encode(5) + peer.encode(6, b"p") * 100 + peer.encode(7, b"i") + peer.encode(6, b"z"))
        rig.until(lambda: rig.total("messages_in") == 103)
        peer.abort()
        rig.until(lambda: not rig.engine.open_slots())
        rig.reactor.stop(20.0)
        threading.Timer(0.1, gate.set).start()
        rig.reactor.run()
        assert handled == [b"p"] * 100 + [b"i", b"z"]


def test_a_handler_that_never_returns_does_not_hold_up_the_end() -> None:
    gate, running = threading.Event(), threading.Event()

    def stuck(_: Request) -> None:
        running.set()
        gate.wait(20)

    with reactor_rig(route(5, stuck)) as rig:
        rig.connect().send(5)
        rig.until(running.is_set)
        rig.reactor.stop(0.2)
        began = time.monotonic()
        rig.reactor.run()
        assert time.monotonic() - began < 5
        assert rig.engine.open_slots() == ()
        gate.set()


def test_a_second_stop_can_only_shorten_the_time() -> None:
    with reactor_rig() as rig:
        rig.reactor.stop(5.0)
        rig.reactor.stop(1.0)
        rig.reactor.stop(30.0)
        assert rig.reactor._stop_timeout == 1.0
        rig.reactor.run()


def test_numbers_are_published() -> None:
    published: list[dict[str, int]] = []
    with reactor_rig(route(5, echo)) as rig:
        rig.reactor._tick = published.append
        rig.connect()
        rig.until(rig.engine.open_slots)
        rig.reactor.stop(0.0)
        rig.reactor.run()
    assert published[-1].keys() == {"connections", "slots", "cooling", "paused", "accepting", "queue", "turned_ns"}
    assert published[-1]["connections"] == 0


def test_stopping_ends_what_is_called_each_turn_first() -> None:
    """A handover: nothing is open any more, but something is still to be sent to the other worker."""
    calls: list[int] = []

    def step() -> bool:
        calls.append(len(calls))
        return len(calls) < 5

    with reactor_rig(route(1, lambda _: None)) as rig:
        rig.reactor.call_each_turn(step)
        rig.reactor.stop(20.0)
        rig.reactor.run()
    assert len(calls) == 5
