"""Async handlers, streams, middleware, state and timers, without sockets."""

from __future__ import annotations

import threading

import pytest

from commscaffoldd.client import ErrorReply
from commscaffoldd.testing import FakeClock
from tests.testing.conftest import Load


def test_async_handlers_are_awaited(load: Load) -> None:
    plugin = load("""
        import asyncio

        @handler(1)
        async def echo(request):
            await asyncio.sleep(0)
            return request.body

        @handler(2)
        async def broken(request):
            raise ZeroDivisionError("in a task")

        @handler(3)
        async def refused(request):
            raise Refuse(1000, "no")
    """)

    assert plugin.call(1, b"hello") == b"hello"
    with pytest.raises(ZeroDivisionError, match="in a task"):
        plugin.call(2)
    with pytest.raises(ErrorReply, match="error 1000: no"):
        plugin.call(3)


def test_an_async_handler_that_waits_too_long_is_given_up(load: Load) -> None:
    clock = FakeClock()
    plugin = load(
        """
        import asyncio

        @handler(1, timeout=5)
        async def wait(request):
            await asyncio.Event().wait()
        """,
        clock=clock,
    )
    exchange = plugin.begin(1)

    clock.advance(5.1)

    with pytest.raises(ErrorReply, match="error 4"):
        exchange.result()


def test_an_async_handler_is_cancelled_when_its_connection_closes_if_it_wants_that(load: Load) -> None:
    plugin = load("""
        import asyncio

        @handler(1, cancel_on_close=True)
        async def wait(request):
            await asyncio.sleep(60)

        @handler(2, concurrent=True)
        def close(request):
            request.connection.close()
    """)
    gone, closed = plugin.connect(), plugin.connect()
    waiting = [plugin.begin(1, connection=gone), plugin.begin(1, connection=closed)]

    plugin.close(gone)
    plugin.begin(2, connection=closed)

    assert [one.wait().replies for one in waiting] == [[], []]


def test_streams_give_all_their_replies(load: Load) -> None:
    plugin = load("""
        from collections.abc import AsyncIterator, Iterator

        @handler(1)
        def stream(request) -> Iterator[str]:
            yield "one"
            yield "two"

        @handler(2)
        async def async_stream(request) -> AsyncIterator[int]:
            for number in range(3):
                yield number
    """)

    assert plugin.begin(1).wait().replies == ["one", "two"]
    assert plugin.begin(2).wait().replies == [0, 1, 2]


def test_middleware_goes_around(load: Load) -> None:
    plugin = load("""
        from commscaffoldd import middleware

        @middleware
        def shout(request):
            if request.body == b"secret":
                raise Refuse(1000, "not that")
            reply = yield
            return reply.upper()

        @handler(1)
        def echo(request):
            return request.body
    """)

    assert plugin.call(1, b"hello") == b"HELLO"
    with pytest.raises(ErrorReply, match="not that"):
        plugin.call(1, b"secret")


def test_the_workers_state_is_injected(load: Load) -> None:
    plugin = load("""
        class Database:
            open = True

        @hookimpl
        async def worker_started(worker) -> Database:
            return Database()

        @handler(1)
        def ask(request, database: Database) -> bool:
            return database.open
    """)

    assert plugin.call(1) is True


def test_timers_are_called_when_time_passes(load: Load) -> None:
    clock = FakeClock()
    plugin = load(
        """
        from commscaffoldd import every

        class Beats:
            def __init__(self):
                self.seen = []

        @hookimpl
        def worker_started(worker) -> Beats:
            return Beats()

        @every(2)
        def beat(beats: Beats):
            beats.seen.append("plain")

        @every(3, workers="one")
        async def async_beat(beats: Beats):
            beats.seen.append("async")

        @handler(1)
        def seen(request, beats: Beats) -> list[str]:
            return beats.seen
        """,
        clock=clock,
    )

    clock.advance(4.5)
    assert plugin.call(1) == ["plain", "async", "plain"]
    plugin.stop()
    clock.advance(10)


def test_what_a_timer_raises_comes_out_of_the_clock(load: Load) -> None:
    clock = FakeClock()
    load(
        """
        from commscaffoldd import every

        @every(1)
        def broken():
            raise ZeroDivisionError("tick")
        """,
        clock=clock,
    )

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="tick"):
            clock.advance(1)


def test_nothing_is_left_running(load: Load) -> None:
    before = threading.active_count()
    plugin = load("""
        @handler(1)
        async def echo(request): ...
    """)
    assert threading.active_count() == before + 1

    plugin.stop()

    assert threading.active_count() == before


WAITS = """
    import asyncio

    seen = []

    @handler(1, cancel_on_close=True)
    async def wait(request):
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    @handler(2, concurrent=True)
    def throw_out(request):
        request.connection.close()

    @handler(3)
    def show(request) -> list[str]:
        return seen
"""


def test_an_async_handler_is_cancelled_when_its_client_goes(load: Load) -> None:
    plugin = load(WAITS)
    waiting = plugin.begin(1, connection=plugin.connect())
    assert plugin.call(3) == ["begun"]

    plugin.close(waiting.connection)

    assert waiting.wait().replies == []
    assert plugin.call(3) == ["begun", "ended"]


def test_an_async_handler_is_cancelled_when_the_plugin_closes_its_connection(load: Load) -> None:
    plugin = load(WAITS)
    leaving = plugin.connect()
    waiting = plugin.begin(1, connection=leaving)
    assert plugin.call(3) == ["begun"]

    plugin.begin(2, connection=leaving)

    assert waiting.wait().replies == []
    assert plugin.call(3) == ["begun", "ended"]
