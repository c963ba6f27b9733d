"""Deferred replies: answered later, from any thread, and in order all the same."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.endpoint import HANDLER_FAILED, REFUSED, TIMED_OUT, decode_error
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Mode
from commscaffoldd.core.settings import BusinessSettings
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig, route
from tests.core.waiting import wait_until
from tests.core.watchdog_rig import ERROR_ID, watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")

LATER, ECHO = 7, 1


class Desk:
    """A handler that defers; the test answers."""

    def __init__(self) -> None:
        self.open: list[Deferred] = []

    def __call__(self, request: Any) -> None:
        self.open.append(request.defer())

    def take(self, rig: ReactorRig, count: int = 1) -> list[Deferred]:
        """The next ones, once they are here."""
        rig.until(lambda: len(self.open) >= count)
        taken, self.open = self.open[:count], self.open[count:]
        return taken


def echo(request: Any) -> bytes:
    return bytes(request.body)


def errors(peer: Peer) -> list[tuple[int, int, str]]:
    """Sequence, code and text of the error replies that have come."""
    peer.pump()
    found = [(sequence, decode_error(body)) for message_id, sequence, body in peer.frames if message_id == ERROR_ID]
    return [(sequence, code, text) for sequence, (_, code, text) in found]


@pytest.mark.parametrize("mode", ["pool", "inline"])
def test_the_connections_later_messages_wait_and_others_go_on(mode: Mode) -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk, mode), route(ECHO, echo, mode)) as rig:
        peer, other = rig.connect(), rig.connect()
        peer.send(LATER, b"x", 1)
        peer.send(ECHO, b"behind", 2)
        (deferred,) = desk.take(rig)
        other.send(ECHO, b"goes on", 1)
        rig.until(lambda: other.bodies() == [b"goes on"])
        assert peer.bodies() == []
        assert rig.backlog.depth == 2, "it counts as running"
        assert deferred.reply(b"first")
        rig.until(lambda: len(peer.bodies()) == 2)
        assert peer.frames == [(LATER, 1, b"first"), (ECHO, 2, b"behind")]
        assert rig.backlog.depth == 0


def test_concurrent_ones_are_answered_in_any_order() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk, "concurrent")) as rig:
        peer = rig.connect()
        for sequence in (1, 2):
            peer.send(LATER, b"x", sequence)
        for deferred in sorted(desk.take(rig, 2), key=lambda one: -one.request.sequence):
            deferred.reply(b"%d" % deferred.request.sequence)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert [sequence for _, sequence, _ in peer.frames] == [2, 1]
        rig.until(lambda: rig.backlog.depth == 0)


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_it_may_be_answered_before_its_handler_has_returned(mode: Mode) -> None:
    def hasty(request: Any) -> None:
        deferred = request.defer()
        helper = threading.Thread(target=deferred.reply, args=(b"at once",))
        helper.start()
        helper.join()

    with reactor_rig(route(LATER, hasty, mode), route(ECHO, echo, mode)) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 1)
        rig.until(lambda: peer.bodies() == [b"at once"])
        peer.send(ECHO, b"next", 2)
        rig.until(lambda: peer.bodies() == [b"at once", b"next"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda one: one.refuse(1234, "no money"), (1234, "no money")),
        (lambda one: one.refuse(), (REFUSED, "refused")),
        (lambda one: one.fail(ValueError("a secret")), (HANDLER_FAILED, "the handler failed")),
        (lambda one: one.reply("text"), (HANDLER_FAILED, "the handler failed")),
    ],
)
def test_error_replies(answer: Callable[[Deferred], bool], expected: tuple[int, str]) -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 9)
        (deferred,) = desk.take(rig)
        assert answer(deferred)
        rig.until(lambda: errors(peer) == [(9, *expected)])
        assert rig.total("handler_errors") == (expected[0] == HANDLER_FAILED)


@pytest.mark.parametrize("code", [0, 65536, True, "7"])
def test_a_code_that_does_not_fit_the_error_reply_is_refused_at_once(code: Any) -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk)) as rig:
        rig.connect().send(LATER)
        (deferred,) = desk.take(rig)
        with pytest.raises((TypeError, ValueError), match=r"from 1 to 65535"):
            deferred.refuse(code)
        deferred.reply()


def test_only_the_first_answer_counts() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 1)
        (deferred,) = desk.take(rig)
        assert [deferred.reply(b"1"), deferred.reply(b"2"), deferred.fail(ValueError()), deferred.settled] == [
            True,
            False,
            False,
            True,
        ]
        rig.until(lambda: peer.bodies() == [b"1"])


def test_no_reply_is_an_answer_too() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk), route(ECHO, echo)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        peer.send(ECHO, b"next")
        desk.take(rig)[0].reply()
        rig.until(lambda: peer.bodies() == [b"next"])


@pytest.mark.parametrize("mode", ["pool", "inline"])
def test_a_handler_that_fails_after_it_has_deferred_is_answered_once(mode: Mode) -> None:
    kept: list[Deferred] = []

    def fails(request: Any) -> None:
        kept.append(request.defer())
        raise LookupError("nobody")

    with reactor_rig(route(LATER, fails, mode), route(ECHO, echo, mode)) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 1)
        peer.send(ECHO, b"next", 2)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert errors(peer) == [(1, HANDLER_FAILED, "the handler failed")]
        assert not kept[0].reply(b"too late")


def test_a_handler_returns_none_or_the_deferred_itself_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    with reactor_rig(
        route(LATER, lambda request: (request.defer().reply(b"well"), request.deferred)[1]),
        route(8, lambda request: (request.defer(), b"body")[1]),
    ) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 1)
        peer.send(8, b"x", 2)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert peer.frames[0] == (LATER, 1, b"well")
        assert errors(peer) == [(2, HANDLER_FAILED, "the handler failed")]
    assert "returned bytes after request.defer(); expected None, or what defer() gave" in caplog.text


def test_its_reply_to_a_client_that_has_gone_goes_nowhere() -> None:
    desk = Desk()
    closed: list[LifecycleCall] = []
    with reactor_rig(route(LATER, desk), closed=closed.append) as rig:
        peer = rig.connect()
        peer.send(LATER)
        (deferred,) = desk.take(rig)
        peer.abort()
        rig.until(lambda: deferred.request.connection.gone)
        assert not closed, "the hook comes after the last handler"
        assert deferred.reply(b"hello?")
        rig.until(lambda: closed)
        assert rig.total("late_replies") == 1


@pytest.mark.parametrize("end", [Peer.half_close, Peer.abort])
def test_one_that_says_so_ends_with_its_connection(end: Callable[[Peer], None]) -> None:
    desk, ended = Desk(), threading.Event()

    def ends_with_it(request: Any) -> None:
        desk(request)
        request.deferred.cancel_on_close = True
        request.deferred.cancel = ended.set

    with reactor_rig(route(LATER, ends_with_it)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        (deferred,) = desk.take(rig)
        rig.until(lambda: deferred in rig.engine.deferrals.suspended())
        end(peer)
        rig.until(lambda: rig.quiet or (peer.sock.fileno() != -1 and peer.gone))
        assert ended.is_set()
        assert deferred.settled


def test_one_that_takes_too_long_is_answered_for_and_its_connection_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, told = Desk(), threading.Event()
    with watchdog_rig(route(LATER, desk), route(ECHO, echo)) as made:
        peer = made.rig.connect()
        peer.send(LATER, b"x", 1)
        peer.send(ECHO, b"next", 2)
        (deferred,) = desk.take(made.rig)
        deferred.cancel, deferred.where = told.set, lambda: "  in the post"
        made.rig.until(made.rig.engine.deferrals.suspended)
        made.now = time.monotonic()
        made.pass_time(9)
        assert not deferred.settled
        made.pass_time(2)
        made.rig.until(lambda: len(peer.bodies()) == 2)
        assert errors(peer) == [(1, TIMED_OUT, "the handler took longer than 10 s")]
        assert told.is_set()
        assert not deferred.reply(b"late")
        assert made.rig.total("handler_timeouts") == made.rig.total("late_replies") == 1
    (record,) = [one for one in caplog.records if one.name.endswith("handler_watchdog")]
    assert "has not been answered after 1" in record.getMessage()
    assert record.stack_info == "  in the post"


def test_a_full_queue_stops_reading_until_they_are_answered() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk, "concurrent"), business=BusinessSettings(queue=10)) as rig:
        peer = rig.connect()
        for sequence in range(100):
            peer.send(LATER, b"x", sequence + 1)
            rig.turn()
        wait_until(lambda: rig.total("queue_full"), rig.turn)
        assert len(desk.open) < 100
        while len(peer.bodies()) < 100:
            for deferred in desk.take(rig):
                deferred.reply(b"")
            rig.turn()


def test_replies_ahead_of_the_answer() -> None:
    def three(request: Any) -> bytes:
        assert request.reply(b"1")
        assert request.reply(bytearray(b"2"))
        return b"3"

    with reactor_rig(route(LATER, three)) as rig:
        peer = rig.connect()
        peer.send(LATER, b"x", 5)
        rig.until(lambda: peer.bodies() == [b"1", b"2", b"3"])
        assert {(message_id, sequence) for message_id, sequence, _ in peer.frames} == {(LATER, 5)}


def test_an_answer_after_the_engines_end_touches_nobodys_descriptor() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk)) as rig:
        rig.connect().send(LATER)
        (deferred,) = desk.take(rig)
        rig.until(rig.engine.deferrals.suspended)
    assert deferred.reply(b"is anybody there?")


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_it_is_for_handlers_that_have_not_returned(mode: Mode) -> None:
    kept: list[Any] = []

    def keeps(request: Any) -> bytes:
        kept.append(request)
        return b"done"

    with reactor_rig(route(LATER, keeps, mode), route(ECHO, echo)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        rig.until(lambda: peer.bodies() == [b"done"])
        with pytest.raises(RuntimeError, match=r"request\.defer\(\) for message ID 7, whose handler has returned"):
            kept[0].defer()
        peer.send(ECHO, b"next")
        rig.until(lambda: peer.bodies() == [b"done", b"next"])
        rig.until(lambda: rig.backlog.depth == 0)


def test_once_it_is_answered_there_is_no_second_one() -> None:
    desk = Desk()
    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        (deferred,) = desk.take(rig)
        assert deferred.request.defer() is deferred
        deferred.reply(b"well")
        rig.until(lambda: peer.bodies() == [b"well"])
        with pytest.raises(RuntimeError, match="whose handler has returned"):
            deferred.request.defer()


def test_callbacks_that_fail_end_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()

    def fails() -> str:
        raise SystemExit(1)

    def deferring(request: Any) -> None:
        desk(request)
        request.deferred.cancel_on_close = True
        request.deferred.cancel = request.deferred.where = fails

    def failing(request: Any) -> None:
        deferring(request)
        raise LookupError

    with watchdog_rig(route(LATER, deferring), route(8, failing), route(ECHO, echo)) as made:
        rig = made.rig
        for message_id, end in [(LATER, Peer.abort), (8, None), (LATER, None)]:
            peer = rig.connect()
            peer.send(message_id)
            peer.send(ECHO, b"next")
            (deferred,) = desk.take(rig)
            if message_id == LATER:
                rig.until(rig.engine.deferrals.suspended)
            if end is not None:
                end(peer)
            elif message_id == LATER:
                made.now = time.monotonic()
                made.pass_time(11)
            rig.until(lambda d=deferred: d.settled)  # type: ignore[misc]
        rig.until(lambda: peer.bodies()[-1:] == [b"next"])
    assert caplog.text.count("message ID 7: its Deferred.cancel failed") == 2
    assert caplog.text.count("message ID 8: its Deferred.cancel failed") == 1
    assert any("(unknown: Deferred.where failed: SystemExit(1))" in str(one.stack_info) for one in caplog.records)


@pytest.mark.parametrize("answer", [lambda one: one.fail(ValueError()), lambda one: one.reply("no bytes")])
def test_who_has_answered_is_not_told_that_nobody_waits(answer: Callable[[Deferred], bool]) -> None:
    desk, told = Desk(), threading.Event()
    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        (deferred,) = desk.take(rig)
        deferred.cancel = told.set
        answer(deferred)
        rig.until(lambda: errors(peer))
        assert not told.is_set()


def test_it_is_encoded_by_who_answers_and_not_by_the_reactor() -> None:
    desk = Desk()
    encoded_by: list[int] = []

    def encode(value: object) -> bytes:
        assert isinstance(value, int)
        encoded_by.append(threading.get_ident())
        return b"%d" % value

    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        (deferred,) = desk.take(rig)
        deferred.encode = encode
        rig.until(rig.engine.deferrals.suspended)
        helper = threading.Thread(target=deferred.reply, args=(42,))
        helper.start()
        helper.join()
        rig.until(lambda: peer.bodies() == [b"42"])
        assert encoded_by == [helper.ident]


def test_a_buffer_may_be_used_again_once_it_has_been_given() -> None:
    desk, buffer = Desk(), bytearray(b"first")
    with reactor_rig(route(LATER, desk)) as rig:
        peer = rig.connect()
        peer.send(LATER)
        desk.take(rig)[0].reply(buffer)
        buffer[:] = b"other"
        rig.until(lambda: peer.bodies() == [b"first"])


def test_what_has_been_answered_is_gone_at_once() -> None:
    def at_once(request: Any) -> None:
        request.defer().reply(b"x")

    with reactor_rig(route(LATER, at_once)) as rig:
        peer = rig.connect()
        gc.collect()
        gc.disable()
        try:
            for number in range(100):
                peer.send(LATER)
                rig.until(lambda count=number + 1: len(peer.bodies()) == count)  # type: ignore[misc]
            left = sum(type(one) is Deferred for one in gc.get_objects())
        finally:
            gc.enable()
        assert left < 10, "threads may still have their last one"


def test_a_handler_that_took_too_long_sends_no_more_replies() -> None:
    gate, sent = threading.Semaphore(0), []

    def streams(request: Any) -> None:
        sent.append(request.reply(b"in time"))
        assert gate.acquire(timeout=20)
        sent.append(request.reply(b"too late"))

    with watchdog_rig(route(LATER, streams), route(ECHO, echo)) as made:
        peer = made.rig.connect()
        peer.send(LATER, b"x", 1)
        peer.send(ECHO, b"next", 2)
        made.rig.until(lambda: sent)
        made.pass_time(11)
        gate.release()
        made.rig.until(lambda: len(peer.bodies()) == 3)
        assert sent == [True, False]
        assert [message_id for message_id, _, _ in peer.frames] == [LATER, ERROR_ID, ECHO]
