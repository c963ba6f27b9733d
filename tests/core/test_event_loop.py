"""The event loop: asynchronous handlers, in order like others, and what becomes of them if they are not wanted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commscaffoldd.core.endpoint import HANDLER_FAILED, TIMED_OUT
from commscaffoldd.core.event_loop import EventLoop
from commscaffoldd.core.handler_watchdog import LOOP
from commscaffoldd.core.loop_watch import LoopWatch
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.route import Mode, Route
from tests.core.reactor_rig import reactor_rig, route
from tests.core.test_deferred import errors
from tests.core.waiting import wait_until
from tests.core.watchdog_rig import watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")

Handler = Callable[[Any], Any]


@pytest.fixture
def event_loop_thread() -> Iterator[EventLoop]:
    made = EventLoop()
    made.start()
    yield made
    assert made.stop(20)


def launched(
    thread: EventLoop, message_id: int, handler: Handler, mode: Mode = "async", *, cancel_on_close: bool = False
) -> Route:
    return route(message_id, thread.launcher(handler, cancel_on_close=cancel_on_close), mode)


class Station:
    """An asynchronous handler that waits until the test lets it go on."""

    def __init__(self, thread: EventLoop) -> None:
        self._thread = thread
        self.here: list[bytes] = []
        self.cancelled: list[bytes] = []
        self._go = asyncio.Event()

    async def __call__(self, request: Any) -> bytes:
        self.here.append(request.body)
        try:
            await self._go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.body)
            raise
        return b"late " + bytes(request.body)

    def let_go(self) -> None:
        self._thread.loop.call_soon_threadsafe(self._go.set)


def echo(request: Any) -> bytes:
    return bytes(request.body)


def test_messages_of_one_connection_are_handled_one_after_another(event_loop_thread: EventLoop) -> None:
    running = most = 0

    async def slow(request: Any) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return bytes(request.body)

    with reactor_rig(launched(event_loop_thread, 1, slow), route(2, echo), route(3, echo, "inline")) as rig:
        peer = rig.connect()
        for number in range(300):
            peer.send(1 + number % 3, b"%d" % number, number + 1)
        rig.until(lambda: len(peer.bodies()) == 300)
        assert peer.bodies() == [b"%d" % number for number in range(300)]
        assert most == 1


def test_those_of_different_connections_run_at_the_same_time(event_loop_thread: EventLoop) -> None:
    station = Station(event_loop_thread)
    with reactor_rig(launched(event_loop_thread, 1, station)) as rig:
        peers = [rig.connect() for _ in range(20)]
        for peer in peers:
            peer.send(1, b"x")
        rig.until(lambda: len(station.here) == 20)
        station.let_go()
        rig.until(lambda: all(peer.bodies() == [b"late x"] for peer in peers))


def test_concurrent_ones_of_one_connection_do_too(event_loop_thread: EventLoop) -> None:
    station = Station(event_loop_thread)
    with reactor_rig(launched(event_loop_thread, 1, station, "async concurrent"), route(2, echo)) as rig:
        peer = rig.connect()
        for number in range(5):
            peer.send(1, b"x", number)
        peer.send(2, b"y")
        rig.until(lambda: len(station.here) == 5 and peer.bodies() == [b"y"])
        station.let_go()
        rig.until(lambda: len(peer.bodies()) == 6)


async def _fails(_request: Any) -> None:
    raise LookupError("nobody")


async def _exits(_request: Any) -> None:
    raise SystemExit(3)


async def _cancels_itself(_request: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(10)


def _fails_before_it_is_awaitable(_request: Any) -> Any:
    raise LookupError("nobody")


@pytest.mark.parametrize("handler", [_fails, _exits, _cancels_itself, _fails_before_it_is_awaitable])
def test_whatever_it_raises_is_its_failure(event_loop_thread: EventLoop, handler: Handler) -> None:
    with reactor_rig(launched(event_loop_thread, 1, handler), route(2, echo)) as rig:
        peer = rig.connect()
        peer.send(1, b"x", 1)
        peer.send(2, b"next", 2)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert errors(peer) == [(1, HANDLER_FAILED, "the handler failed")]
        assert rig.total("handler_errors") == 1


def test_a_refusal_needs_no_task(event_loop_thread: EventLoop) -> None:
    with reactor_rig(launched(event_loop_thread, 1, lambda _: Refusal(2, "bad"))) as rig:
        peer = rig.connect()
        peer.send(1, b"x", 1)
        rig.until(lambda: errors(peer) == [(1, 2, "bad")])


def test_it_goes_on_when_its_connection_closes_unless_it_says_otherwise(event_loop_thread: EventLoop) -> None:
    goes_on, ends = Station(event_loop_thread), Station(event_loop_thread)
    with reactor_rig(
        launched(event_loop_thread, 1, goes_on), launched(event_loop_thread, 2, ends, cancel_on_close=True)
    ) as rig:
        first, second = rig.connect(), rig.connect()
        first.send(1, b"a")
        second.send(2, b"b")
        rig.until(lambda: goes_on.here and ends.here)
        first.close()
        second.close()
        rig.until(lambda: ends.cancelled)
        assert not goes_on.cancelled
        goes_on.let_go()
        rig.until(lambda: rig.quiet)
        assert not goes_on.cancelled


def test_one_that_takes_too_long_is_cancelled_and_the_log_says_where_it_was(
    event_loop_thread: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    station = Station(event_loop_thread)

    async def outer(request: Any) -> bytes:
        return await station(request)

    with watchdog_rig(launched(event_loop_thread, 7, outer)) as made:
        peer = made.rig.connect()
        peer.send(7, b"x", 1)
        made.rig.until(lambda: station.here)
        made.rig.until(made.rig.engine.deferrals.suspended)
        made.now = time.monotonic()
        made.pass_time(11)
        made.rig.until(lambda: errors(peer) == [(1, TIMED_OUT, "the handler took longer than 10 s")])
        made.rig.until(lambda: station.cancelled)
    (record,) = [one for one in caplog.records if one.name.endswith("handler_watchdog")]
    stack = str(record.stack_info)
    assert stack.index("in outer") < stack.index("in __call__") < stack.index("await self._go.wait()")


def _block(over: threading.Event) -> Handler:
    async def blocks(_request: Any) -> bytes:
        over.wait(20)
        return b"done"

    return blocks


def test_what_blocks_the_loop_is_named_with_its_stack(
    event_loop_thread: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()
    watch = LoopWatch(event_loop_thread)
    with contextlib.ExitStack() as stack:
        stack.callback(over.set)
        rig = stack.enter_context(reactor_rig(launched(event_loop_thread, 1, _block(over))))
        assert watch.look(100.0) == 0.0
        wait_until(lambda: watch._answered)
        rig.connect().send(1, b"x")
        rig.until(lambda: event_loop_thread.current() is not None)
        assert watch.look(101.0) == 0.0
        assert watch.look(101.4) == 0.0
        assert watch.look(102.0) == pytest.approx(1.0)
        assert watch.look(103.0) == pytest.approx(2.0), "it is logged once"
        over.set()
        wait_until(lambda: watch._answered)
        watch.look(104.0)
    blocks, goes_on = [one for one in caplog.records if one.name.endswith("loop_watch")]
    assert blocks.levelno == logging.ERROR
    assert "of plugin test, message ID 1, blocks the event loop for 1.0 s now" in blocks.getMessage()
    assert "over.wait(20)" in str(blocks.stack_info)
    assert "run_forever" not in str(blocks.stack_info), "what lies below the handler is left out"
    assert "the event loop goes on" in goes_on.getMessage()


def test_code_that_is_no_handler_is_named_by_its_module(
    event_loop_thread: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    over, began = threading.Event(), threading.Event()

    async def task() -> None:
        began.set()
        over.wait(20)

    watch = LoopWatch(event_loop_thread)
    try:
        event_loop_thread.spawn(task())
        assert began.wait(20)
        watch.look(100.0)
        watch.look(101.0)
    finally:
        over.set()
    assert f"module {__name__} blocks the event loop for 1.0 s" in caplog.text


def test_a_loop_that_is_blocked_for_longer_than_a_handler_may_run_is_told(event_loop_thread: EventLoop) -> None:
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(over.set)
        made = stack.enter_context(watchdog_rig(launched(event_loop_thread, 7, _block(over))))
        made.watchdog._loop_watch = LoopWatch(event_loop_thread)
        made.rig.connect().send(7, b"x")
        made.rig.until(lambda: event_loop_thread.current() is not None)
        made.pass_time(9)
        assert made.told.held == []
        made.pass_time(2)
        assert made.told.held == [LOOP]


def test_stopping_cancels_what_runs(event_loop_thread: EventLoop) -> None:
    ended = threading.Event()

    async def task() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    future = event_loop_thread.spawn(task())
    other = EventLoop()
    assert other.stop(1), "one that was never started"
    assert event_loop_thread.call(asyncio.sleep(0, "value"), 20) == "value"
    with pytest.raises(TimeoutError):
        event_loop_thread.call(asyncio.sleep(60), 0.01)
    assert event_loop_thread.stop(20)
    assert ended.is_set()
    assert future.cancelled()
    assert not event_loop_thread.call_soon(lambda: None), "it has ended"


def test_one_that_is_blocked_does_not_end_in_time() -> None:
    over = threading.Event()
    made = EventLoop()
    made.start()

    async def task() -> None:
        over.wait(20)

    made.spawn(task())
    assert not made.stop(0.05)
    over.set()
    made._thread.join(20)
    made.loop.close()


def test_it_survives_what_plugins_do_to_it(event_loop_thread: EventLoop, caplog: pytest.LogCaptureFixture) -> None:
    async def exits() -> None:
        raise SystemExit(3)

    for harm in (event_loop_thread.loop.stop, lambda: event_loop_thread.loop.create_task(exits())):
        event_loop_thread.call_soon(harm)
        assert event_loop_thread.call(asyncio.sleep(0.01, "alive"), 20) == "alive"
    assert "a plugin has called stop() of the event loop: the event loop goes on" in caplog.text
    assert "a task on the event loop raised SystemExit(3): the event loop goes on" in caplog.text


def test_a_call_that_is_not_done_in_time_says_so(event_loop_thread: EventLoop) -> None:
    async def own_timeout() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(20)

    with pytest.raises(TimeoutError, match=r"it was not done in 0\.0 s"):
        event_loop_thread.call(asyncio.sleep(20), 0.01)
    with pytest.raises(TimeoutError, match=r"^$"):
        event_loop_thread.call(own_timeout(), 20)


def test_an_async_handler_may_leave_the_answer_to_others(event_loop_thread: EventLoop) -> None:
    kept: list[Any] = []

    async def leaves(request: Any) -> Any:
        kept.append(request.defer())
        return kept[-1] if request.body == b"returns it" else None

    with reactor_rig(launched(event_loop_thread, 1, leaves), route(2, echo)) as rig:
        peer = rig.connect()
        for number, body in enumerate([b"returns it", b"returns None"]):
            peer.send(1, body, 1)
            peer.send(2, b"behind", 2)
            rig.until(lambda count=number + 1: len(kept) == count)  # type: ignore[misc]
            event_loop_thread.call(asyncio.sleep(0), 20)
            assert len(peer.bodies()) == 2 * number
            assert kept[-1].reply(b"from elsewhere")
            rig.until(lambda count=2 * number + 2: len(peer.bodies()) == count)  # type: ignore[misc]
        assert peer.bodies() == [b"from elsewhere", b"behind"] * 2


def test_one_that_is_cancelled_before_it_begins_is_answered_for(event_loop_thread: EventLoop) -> None:
    began, over = threading.Event(), threading.Event()

    def block() -> None:
        began.set()
        over.wait(20)

    def cancel_all() -> None:
        for task in asyncio.all_tasks(event_loop_thread.loop):
            task.cancel()

    async def never(_request: Any) -> bytes:
        await asyncio.sleep(20)
        return b"never"

    with reactor_rig(launched(event_loop_thread, 1, never)) as rig:
        peer = rig.connect()
        event_loop_thread.call_soon(block)
        assert began.wait(20)
        peer.send(1, b"x", 1)
        rig.until(rig.engine.deferrals.suspended)
        event_loop_thread.call_soon(cancel_all)
        over.set()
        rig.until(lambda: errors(peer) == [(1, HANDLER_FAILED, "the handler failed")])


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_whatever_a_coroutine_raises_is_raised_where_it_is_waited_for(
    event_loop_thread: EventLoop, kind: type[BaseException]
) -> None:
    async def end() -> None:
        raise kind

    with pytest.raises(kind):
        event_loop_thread.call(end(), 20)
    assert event_loop_thread.call(asyncio.sleep(0, "it goes on"), 20) == "it goes on"
