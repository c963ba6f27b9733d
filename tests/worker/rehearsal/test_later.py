"""A rehearsal of what is answered later: coroutines, deferred replies, streams; and of logins."""

from __future__ import annotations

import os
import time

import pytest

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.records import Closed, Known, Received, Record, Sent
from commscaffoldd.core.endpoint import REFUSED, TIMED_OUT, encode_error
from commscaffoldd.core.login import login_first
from tests.capture.examples import LISTEN
from tests.worker.rehearsal.conftest import Rehearse

ERROR = 0xFFFFFFFF
MS = 1_000_000


def connects(name: str = "1.0.0", *, opened: bool = True) -> Known:
    return Known(0, name, "192.0.2.7:4000", LISTEN, "standard", opened)


def exchange(at: int, *replies: bytes, name: str = "1.0.0", message_id: int = 5, body: bytes = b"") -> list[Record]:
    """A message, and its replies, 1 ns apart each; `at` is its sequence, too."""
    sent = [Sent(at + 1 + n, name, message_id, at, reply) for n, reply in enumerate(replies)]
    return [Received(at, name, message_id, at, body), *sent]


SEE = """
    import asyncio, os, threading, time
    from commscaffoldd import Refuse, middleware
    def see(text): os.environ["SEEN"] = os.environ.get("SEEN", "") + text + " "
    """


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("await asyncio.sleep(0.01); return b'ok'", ""),
        ("await asyncio.sleep(0.01); raise ValueError('no')", "greet.py:9: ValueError: no"),
        ("return 7", "greet returned int; expected bytes"),
        ("raise Refuse(1000, 'full')", ""),
        ("await asyncio.sleep(60)", "there is no answer after 0.2 s, its time-out"),
        ("yield b'1'; await asyncio.sleep(0); yield b'2'", ""),
        ("yield b'1'; raise ValueError('no')", "ValueError: no"),
        ("yield 7", "TypeError: a body is bytes"),
    ],
)
def test_coroutines(rehearse: Rehearse, source: str, says: str) -> None:
    made = rehearse(
        SEE + f"@handler(5, timeout=0.2)\n    async def greet(request):\n        {source}\n", *exchange(10, b"ok")
    )
    assert made.played == 1
    assert len(made.errors) == bool(says), made.errors
    assert says in "".join(made.errors)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("threading.Timer(0.01, lambda: deferred.reply(b'ok')).start()", ""),
        ("threading.Timer(0.01, lambda: deferred.refuse(1000, 'no')).start()", ""),
        ("threading.Timer(0.01, lambda: deferred.fail(OSError('gone'))).start()", "OSError: gone"),
        ("threading.Timer(0.01, lambda: deferred.reply(7)).start()", "expected bytes"),
        ("pass", "there is no answer after 0.2 s, its time-out"),
    ],
)
def test_deferred_replies(rehearse: Rehearse, source: str, says: str) -> None:
    made = rehearse(
        SEE
        + f"""
    @handler(5, timeout=0.2)
    def greet(request):
        deferred = request.defer()
        {source}
    """,
        *exchange(10, b"ok"),
    )
    assert len(made.errors) == bool(says), made.errors
    assert says in "".join(made.errors)


def test_what_was_given_up_then_may_be_given_up_now(rehearse: Rehearse) -> None:
    made = rehearse(
        "@handler(5, timeout=0.05)\ndef greet(request): request.defer()\n",
        connects(),
        Received(10, "1.0.0", 5, 1, b""),
        Sent(20, "1.0.0", ERROR, 1, encode_error(5, TIMED_OUT, "the handler took longer")),
        Received(30, "1.0.0", 5, 2, b""),
    )
    assert made.errors == []


def test_who_waits_for_another_client_gets_his_answer_from_it(rehearse: Rehearse) -> None:
    made = rehearse(
        """
        waiting = []
        @handler(5)
        def ask(request): waiting.append(request.defer())
        @handler(6)
        def tell(request): waiting.pop().reply(request.body)
        """,
        Received(10, "1.0.0", 5, 1, b""),
        Received(20, "1.0.1", 6, 1, b"x"),
        Sent(30, "1.0.0", 5, 1, b"x"),
    )
    assert (made.errors, made.played) == ([], 2)


def test_what_followed_an_answer_follows_it_and_each_connection_keeps_its_order(rehearse: Rehearse) -> None:
    rehearse(
        SEE
        + """
    @handler(5)
    async def slow(request):
        await asyncio.sleep(0.05)
        see("slow" + request.connection.id)
        return b""
    @handler(6)
    def quick(request): see("quick" + request.connection.id)
    """,
        *exchange(10, b"", name="a"),
        Received(20, "b", 6, 1, b""),  # after the answer
        Received(30, "c", 5, 1, b""),
        Received(31, "c", 6, 2, b""),  # behind it, on the same connection
        Received(32, "d", 6, 1, b""),  # before the answer
        Sent(33, "c", 5, 1, b""),
        Closed(40, "c", "peer closed"),
    )
    assert os.environ["SEEN"] == "slowa quickb quickd slowc quickc "


def test_what_is_sent_without_an_answer_is_played_before_its_connection_ends(rehearse: Rehearse) -> None:
    made = rehearse(
        SEE
        + """
    @handler(5)
    async def note(request):
        await asyncio.sleep(0.01)
        raise OSError("late")
    """,
        connects(),
        *(Received(at, "1.0.0", 5, at, b"") for at in (10, 11, 12)),
        Closed(13, "1.0.0", "peer closed"),
    )
    assert len(made.errors) == 3


def test_who_waited_in_vain_then_does_not_hold_it_up_now(rehearse: Rehearse) -> None:
    began = time.monotonic()
    made = rehearse(
        "@handler(5)\ndef ask(request): request.defer()\n@handler(6)\ndef reply(request): return b''\n",
        *(Received(10, f"1.{number}.0", 5, 1, b"") for number in range(50)),
        *exchange(20, b"", name="2.0.0", message_id=6),
        *(Closed(30, f"1.{number}.0", "reset") for number in range(50)),
    )
    assert (made.errors, made.played) == ([], 1)
    assert time.monotonic() - began < 5


def test_without_recorded_answers_all_are_waited_for(rehearse: Rehearse) -> None:
    made = rehearse(
        SEE
        + """
    @handler(5)
    async def greet(request):
        await asyncio.sleep(1.1)
        raise OSError("late")
    @handler(6, timeout=0)
    async def feed(request):
        while True:
            await asyncio.sleep(60)
            yield b""
    """,
        Received(10, "1.0.0", 5, 1, b""),
        Received(10, "1.0.1", 6, 1, b""),
        wanted=CaptureFilter(direction="in"),
    )
    assert len(made.errors) == 1
    assert "OSError: late" in made.errors[0]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_stream_is_taken_as_far_as_it_was_recorded(rehearse: Rehearse, kind: str) -> None:
    wait = "await asyncio.sleep(0.02)" if kind == "async def" else "time.sleep(0.02)"
    made = rehearse(
        SEE
        + f"""
    @handler(5, timeout=0)
    {kind} feed(request):
        try:
            while True:
                see("part")
                yield b"x"
                {wait}
        finally:
            see("closed")
    @handler(6)
    def quick(request): see("quick")
    """,
        *exchange(10, b"1", b"2", b"3"),
        Received(30, "1.0.1", 6, 1, b""),
        Closed(40, "1.0.0", "peer closed"),
    )
    assert made.errors == []
    seen = os.environ["SEEN"].split()
    assert seen[:3] == ["part"] * 3
    assert seen.count("closed") == 1
    assert "quick" in seen


LOGIN = """
    @handler(1, open=True)
    {kind} login(request):
        if request.body == b"secret":
            request.connection.authenticate("ann")
            return b"welcome"
        return b"no"
    @handler(5)
    def greet(request): return request.connection.user.encode()
    """


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_logins(rehearse: Rehearse, kind: str) -> None:
    made = rehearse(
        LOGIN.format(kind=kind),
        connects(),
        *exchange(10, b"welcome", message_id=1, body=b"secret"),
        *exchange(20, b"ann"),
    )
    assert (made.errors, made.played, made.skipped) == ([], 2, 0)


def test_a_login_that_does_not_work_any_more(rehearse: Rehearse) -> None:
    made = rehearse(
        LOGIN.format(kind="def"),
        connects(),
        *exchange(10, b"welcome", message_id=1, body=b"was right"),
        *exchange(20, b"ann"),
        Received(30, "1.0.1", 5, 1, b""),
        Sent(31, "1.0.1", ERROR, 1, encode_error(5, REFUSED, login_first(5))),
        Received(32, "1.0.1", 99, 2, b""),
        Sent(33, "1.0.1", ERROR, 2, encode_error(99, REFUSED, login_first(99))),
    )
    (error,) = made.errors
    assert "record 5: message ID 5, handler greet of plugin greet: it is refused, and was not when it was" in error
    assert "log in first" in error


@pytest.mark.parametrize(("opened", "wanted"), [(False, CaptureFilter()), (True, CaptureFilter(ids=(5,)))])
def test_logins_that_are_not_in_the_capture(rehearse: Rehearse, wanted: CaptureFilter, *, opened: bool) -> None:
    made = rehearse(LOGIN.format(kind="def"), connects(opened=opened), *exchange(20, b"ann"), wanted=wanted)
    assert (made.errors, made.played, made.skipped) == ([], 0, 1)


def test_hooks_that_are_asynchronous_and_state_and_middleware(rehearse: Rehearse) -> None:
    made = rehearse(
        SEE
        + """
    class Store: pass
    @hookimpl
    async def worker_started(worker) -> Store:
        await asyncio.sleep(0)
        see(f"started:{worker.canary}")
        return Store()
    @hookimpl
    async def worker_stopping(store: Store): see("stopping")
    @middleware
    def around(request):
        see("before")
        reply = yield
        see("after")
        return reply
    @handler(5)
    async def greet(request, store: Store):
        see("greet")
        return b""
    @handler(6)
    def broken(request, store: Store): return b""
    """,
        *exchange(10, b""),
    )
    assert made.errors == []
    assert os.environ["SEEN"] == "started:True before greet after stopping "


def test_timers_do_not_run(rehearse: Rehearse) -> None:
    rehearse(
        SEE
        + """
    from commscaffoldd import every
    @every(0.01)
    def tick(): see("tick")
    @handler(5)
    def greet(request):
        time.sleep(0.1)
        return b""
    """,
        *exchange(10, b""),
    )
    assert "SEEN" not in os.environ
