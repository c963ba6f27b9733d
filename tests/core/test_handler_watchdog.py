"""Handlers that run too long: noticed, logged, answered for; and what comes of them later is dropped."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from commscaffoldd.core.endpoint import TIMED_OUT
from commscaffoldd.core.handler_watchdog import POOL
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.settings import BusinessSettings, QuarantineSettings
from tests.core.reactor_rig import route
from tests.core.waiting import wait_until
from tests.core.watchdog_rig import TIMEOUT, Gate, watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")


def echo(request: Any) -> bytes:
    return bytes(request.body)


def gated(message_id: int, gate: Gate, mode: Mode = "pool", timeout: float | None = None) -> Route:
    def slow(request: Any) -> bytes:
        return gate(request)

    return Route(message_id, slow, "snail", "slow", mode, timeout)


@pytest.mark.parametrize("mode", ["pool", "concurrent"])
def test_its_client_gets_error_4_and_what_it_returns_later_is_dropped(mode: Mode) -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate, mode), route(1, echo)) as made:
        peer = made.rig.connect()
        made.hang(peer, gate, 7, sequence=3)
        made.pass_time(TIMEOUT - 0.1)
        assert made.rig.total("handler_timeouts") == 0
        made.pass_time(0.2)
        made.rig.until(peer.bodies)
        assert made.errors(peer) == [(3, 7, TIMED_OUT)]
        gate.let_go()
        peer.send(1, b"next", 4)
        made.rig.until(lambda: len(peer.bodies()) == 2)
        assert peer.frames[1] == (1, 4, b"next")
        made.rig.until(lambda: made.rig.total("late_replies") == 1)
        assert made.rig.total("handler_timeouts") == 1


def test_the_quarantine_knows_before_the_client_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has got error 4 and sends the ID again is refused, if that time-out was the last allowed."""
    gate = Gate()
    answered: list[object] = []
    with watchdog_rig(gated(7, gate)) as made:
        peer = made.rig.connect()

        def timed_out(_request: Request, _seconds: float) -> None:
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                made.rig.turn()
            answered.append(made.errors(peer))

        monkeypatch.setattr(made.quarantine, "timed_out", timed_out)
        made.hang(peer, gate, 7)
        made.pass_time(TIMEOUT + 1)
        made.rig.until(lambda: made.errors(peer))
        assert answered == [[]]
        gate.let_go()


def test_the_log_says_who_for_whom_how_long_and_where(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate)) as made:
        peer = made.rig.connect()
        name = "{}:{}".format(*peer.sock.getsockname())
        made.hang(peer, gate, 7)
        made.pass_time(TIMEOUT + 1)
        made.pass_time(5)
        gate.let_go()
        wait_until(lambda: made.rig.core.path.backlog.depth == 0, made.rig.turn)
        made.pass_time(0)
    still, back = [one for one in caplog.records if one.name.endswith("handler_watchdog")]
    assert still.levelname == "ERROR"
    assert f"handler slow of plugin snail, message ID 7 from {name}" in still.getMessage()
    assert "still runs after 11.0 s" in still.getMessage()
    stack = str(still.stack_info).splitlines()
    assert "test_handler_watchdog.py" in stack[0], "what lies below the handler is left out"
    assert "in slow" in stack[0]
    assert "in __call__" in str(still.stack_info)
    assert "has come back after 16.0 s" in back.getMessage()


def test_its_connections_next_messages_wait_and_others_go_on() -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate), route(1, echo)) as made:
        hung, other = made.rig.connect(), made.rig.connect()
        made.hang(hung, gate, 7)
        hung.send(1, b"waits")
        other.send(1, b"goes on")
        made.pass_time(TIMEOUT + 1)
        made.rig.until(lambda: other.bodies() == [b"goes on"] and made.errors(hung))
        assert len(hung.bodies()) == 1
        gate.let_go()
        made.rig.until(lambda: hung.bodies()[1:] == [b"waits"])


def test_an_inline_handlers_client_is_answered_while_the_reactor_hangs() -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate, "inline")) as made:
        peer = made.rig.connect()
        answered: list[Any] = []

        def watch() -> None:  # the reactor is this test's thread, and hangs
            wait_until(lambda: gate.entered)
            made.pass_time(TIMEOUT + 1)
            wait_until(peer.bodies)
            answered.extend(made.errors(peer))
            gate.let_go()

        watching = threading.Thread(target=watch)
        watching.start()
        peer.send(7, b"x", 5)
        made.rig.until(lambda: gate.entered)
        watching.join(20)
        assert answered == [(5, 7, TIMED_OUT)]
        assert made.rig.total("late_replies") == 1


def test_where_the_layout_has_no_error_replies_the_client_gets_nothing() -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate), route(1, echo), layout=PRESETS["compact"]) as made:
        peer = made.rig.connect()
        made.hang(peer, gate, 7)
        made.pass_time(TIMEOUT + 1)
        gate.let_go()
        peer.send(1, b"next")
        made.rig.until(peer.bodies)
        assert peer.bodies() == [b"next"]
        assert made.rig.total("late_replies") == 1


def test_a_handler_that_fails_late_is_logged_and_nothing_more() -> None:
    gate = Gate()

    def fails(request: Any) -> bytes:
        gate(request)
        raise ValueError("too late")

    with watchdog_rig(route(7, fails), route(1, echo)) as made:
        peer = made.rig.connect()
        made.hang(peer, gate, 7)
        made.pass_time(TIMEOUT + 1)
        gate.let_go()
        peer.send(1, b"next")
        made.rig.until(lambda: len(peer.bodies()) == 2)
        assert [code for _, _, code in made.errors(peer)] == [TIMED_OUT]
        assert made.rig.total("handler_errors") == 1


@pytest.mark.parametrize(("own", "usual", "seconds"), [(0.5, 10.0, 0.6), (20.0, 10.0, 21.0), (5.0, 0.0, 6.0)])
def test_a_handler_may_have_a_timeout_of_its_own(own: float, usual: float, seconds: float) -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate, timeout=own), timeout=usual) as made:
        made.hang(made.rig.connect(), gate, 7)
        made.pass_time(own * 0.9)
        assert made.rig.total("handler_timeouts") == 0
        made.pass_time(seconds)
        assert made.rig.total("handler_timeouts") == 1
        gate.let_go()


@pytest.mark.parametrize(("own", "usual"), [(0, 10.0), (None, 0.0)])
def test_0_is_for_ever(own: float | None, usual: float) -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate, timeout=own), timeout=usual) as made:
        made.hang(made.rig.connect(), gate, 7)
        made.pass_time(1e6)
        assert made.rig.total("handler_timeouts") == 0
        gate.let_go()


def test_many_quick_messages_are_not_one_slow_one() -> None:
    with watchdog_rig(route(1, echo)) as made:
        peer = made.rig.connect()
        for count in range(1, 6):
            peer.send(1, b"x")
            made.rig.until(lambda: len(peer.bodies()) == count)  # noqa: B023
            made.pass_time(TIMEOUT + 1)
        assert made.rig.total("handler_timeouts") == 0


def test_a_hook_that_hangs_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    def opened(call: LifecycleCall) -> None:
        gate.entered += 1
        assert gate._open.acquire(timeout=30)
        assert call

    with watchdog_rig(route(1, echo), opened=opened) as made:
        peer = made.rig.connect()
        made.rig.until(lambda: gate.entered)
        made.pass_time(TIMEOUT + 1)
        gate.let_go()
        peer.send(1, b"x")
        made.rig.until(lambda: peer.bodies() == [b"x"])
    assert "hook connection_opened for 127.0.0.1" in caplog.text
    assert "in opened" in caplog.records[0].stack_info  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_handler_or_watchdog_exactly_one_of_them_answers(mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "commscaffoldd.core.handler_watchdog")
    count, over = 300, threading.Event()

    def yields(request: Any) -> bytes:
        time.sleep(request.sequence % 3 * 1e-5)  # the others get the GIL, sooner or later
        return b"done"

    settings = QuarantineSettings(enabled=False)
    with watchdog_rig(Route(7, yields, "snail", "yields", mode), timeout=1e-9, quarantine=settings) as made:

        def watch() -> None:  # everything that is seen twice is given up
            while not over.is_set():
                made.watchdog.look(time.monotonic())

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            peer = made.rig.connect()
            for sequence in range(count):
                peer.send(7, b"", sequence)
                made.rig.turn()
            made.rig.until(lambda: len(peer.bodies()) >= count and not made.rig.core.path.backlog.depth)
        finally:
            over.set()
            watching.join(20)
        made.rig.turn()
        assert sorted(sequence for _, sequence, _ in peer.frames) == list(range(count))
        given_up = len(made.errors(peer))
        assert 0 < given_up < count, "both have had their turn"
        assert made.rig.total("handler_timeouts") == made.rig.total("late_replies") == given_up


def test_when_all_business_threads_hang_it_is_told_until_one_is_free_again() -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate), route(1, echo), business=BusinessSettings(threads=2)) as made:
        peers = [made.rig.connect(), made.rig.connect()]
        made.hang(peers[0], gate, 7)
        made.pass_time(TIMEOUT + 1)
        assert made.told.held == []
        made.hang(peers[1], gate, 7)
        made.pass_time(TIMEOUT + 1)
        assert made.told.held == [POOL]
        made.pass_time(0.5)
        assert made.told.held == [POOL]
        made.pass_time(0.6)
        assert made.told.held == [POOL] * 2
        assert [one.id for one in made.quarantine.quarantined()] == [7], "whoever comes next shall not hang, too"
        gate.let_go(2)
        made.rig.until(lambda: made.rig.total("late_replies") == 2)
        made.pass_time(5)
        assert made.told.held == [POOL] * 2


def test_a_thread_of_its_own_looks_and_ends() -> None:
    gate = Gate()
    with watchdog_rig(gated(7, gate, timeout=0.05)) as made:
        made.watchdog.start()
        peer = made.rig.connect()
        made.hang(peer, gate, 7)
        made.rig.until(lambda: made.errors(peer))
        gate.let_go()
        made.watchdog.stop(10)
        assert not made.watchdog._thread.is_alive()
