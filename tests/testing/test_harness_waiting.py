"""Replies that come later, or several to one message."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from commscaffoldd.client import ErrorReply
from commscaffoldd.testing import FakeClock
from tests.testing.conftest import Load


def test_deferred_replies_come_when_they_are_given(load: Load) -> None:
    plugin = load("""
        waiting = []

        @handler(1)
        def ask(request):
            waiting.append(request.defer())

        @handler(2, concurrent=True)
        def answer(request):
            waiting.pop(0).reply(request.body)

        @handler(3, concurrent=True)
        def fail(request):
            waiting.pop(0).fail(ZeroDivisionError("later"))

        @handler(4, concurrent=True)
        def refuse(request):
            waiting.pop(0).refuse(1000, "not now")
    """)
    first, second, third = (plugin.begin(1) for _ in range(3))
    assert [one.done for one in (first, second, third)] == [False, False, False]

    plugin.call(2, b"yes")
    assert first.result() == b"yes"
    assert not second.done  # it has been asked only now: one connection's messages have their order
    plugin.call(3)
    with pytest.raises(ZeroDivisionError, match="later"):
        second.result()
    plugin.call(4)
    with pytest.raises(ErrorReply, match="error 1000: not now"):
        third.result()


def test_a_call_waits_for_a_reply_of_another_thread(load: Load) -> None:
    plugin = load("""
        import threading

        @handler(1)
        def ask(request):
            deferred = request.defer()
            threading.Timer(0.01, deferred.reply, [b"done"]).start()
    """)

    assert plugin.call(1) == b"done"


def test_a_reply_that_does_not_come_is_a_time_out_of_the_test(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def ask(request):
            request.defer()
    """)

    with pytest.raises(TimeoutError, match=r"message ID 1 has no reply after 0\.01 seconds"):
        plugin.call(1, timeout=0.01)


def test_a_deferred_message_is_given_up_when_its_time_is_over(load: Load) -> None:
    clock = FakeClock()
    plugin = load(
        """
        kept = []

        @handler(1, timeout=2)
        def ask(request):
            kept.append(request.defer())

        @handler(2)
        def long(request):
            request.defer()

        @handler(3, concurrent=True)
        def late(request):
            assert not kept.pop().reply(b"late")
        """,
        clock=clock,
        config={"business": {"handler_timeout": 9}},
    )
    short, long = plugin.begin(1), plugin.begin(2)

    clock.advance(1.9)
    assert not short.done
    clock.advance(0.2)
    with pytest.raises(ErrorReply, match=r"error 4 .*longer than 2 s"):
        short.result()
    plugin.call(3)
    clock.advance(9)
    assert long.error is not None
    assert long.error.code == 4


def test_several_replies_to_one_message(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def some(request):
            assert request.reply(b"one")
            assert request.reply(b"two")
            return b"three"
    """)

    assert plugin.begin(1).replies == [b"one", b"two", b"three"]
    assert plugin.call(1) == b"three"
    assert plugin.connection.sent == []


def test_messages_of_one_connection_from_two_threads_run_one_at_a_time(load: Load) -> None:
    plugin = load("""
        import threading
        begun, go_on = threading.Event(), threading.Event()
        running = []

        @handler(1)
        def slow(request):
            running.append(request.body)
            assert len(running) == 1
            begun.set()
            assert go_on.wait(10)
            running.remove(request.body)
            return request.body
    """)
    module = plugin.host.routes[1].function.__globals__
    thread = threading.Thread(target=plugin.call, args=(1, b"first"))
    thread.start()
    assert module["begun"].wait(10)

    second = plugin.begin(1, b"second")
    assert not second.done
    module["go_on"].set()

    assert second.result() == b"second"
    thread.join(10)


def test_a_coroutine_awaits_the_reply(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def echo(request):
            return request.body
    """)

    async def both() -> list[Any]:
        return [*await asyncio.gather(plugin.acall(1, b"a"), plugin.acall(1, b"b"))]

    assert asyncio.run(both()) == [b"a", b"b"]
