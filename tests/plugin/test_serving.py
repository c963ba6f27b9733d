"""Typed handlers behind a real engine: streams, refusals and deferred replies, as clients see them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from commscaffoldd import Refuse, Request
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.endpoint import BAD_BODY, HANDLER_FAILED
from commscaffoldd.plugin.binding import bind
from commscaffoldd.plugin.signature import read_signature
from tests.core.reactor_rig import route
from tests.core.watchdog_rig import WatchdogRig, watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")


class Question(msgspec.Struct):
    number: int


class Answer(msgspec.Struct):
    number: int


def pack(number: object) -> bytes:
    return msgspec.msgpack.encode({"number": number})


def ask(made: WatchdogRig, *bodies: bytes, replies: int = 1) -> list[tuple[int, bytes]]:
    """Sequences and bodies of the replies to these messages, the first one with sequence 1."""
    peer = made.rig.connect()
    for sequence, body in enumerate(bodies, 1):
        peer.send(7, body, sequence)
    made.rig.until(lambda: len(peer.bodies()) == replies)
    return [(sequence, body) for _, sequence, body in peer.frames]


def serving(function: Callable[..., Any]) -> Any:
    return watchdog_rig(route(7, bind(function, read_signature(function), {})))


def code(answer: tuple[int, bytes]) -> int:
    return int.from_bytes(answer[1][4:6], "big")


def count(request: Request, body: Question) -> Iterator[Answer]:
    for number in range(body.number):
        if number == 3:
            raise Refuse(1001, "too many")
        yield Answer(number)


def test_each_yielded_value_is_a_reply_and_the_next_message_waits() -> None:
    with serving(count) as made:
        assert ask(made, pack(2), pack(1), replies=3) == [(1, pack(0)), (1, pack(1)), (2, pack(0))]


def test_a_stream_that_ends_in_a_refusal() -> None:
    with serving(count) as made:
        *parts, last = ask(made, pack(9), replies=4)
        assert [body for _, body in parts] == [pack(0), pack(1), pack(2)]
        assert code(last) == 1001


def test_bad_bodies_and_wrong_replies() -> None:
    def wrong(request: Request, body: Question) -> Answer:
        return {"number": body.number}  # type: ignore[return-value]

    with serving(wrong) as made:
        (first, second) = ask(made, b"\xc1", pack(1), replies=2)
        assert (code(first), code(second)) == (BAD_BODY, HANDLER_FAILED)
        assert made.rig.total("handler_errors") == 1


def test_a_deferred_reply_is_a_value_too() -> None:
    def later(request: Request, body: Question) -> Answer | Deferred:
        deferred = request.defer()
        threading.Thread(target=deferred.reply, args=[Answer(body.number)]).start()
        return deferred

    with serving(later) as made:
        assert ask(made, pack(5)) == [(1, pack(5))]


def test_a_stream_waits_for_a_client_that_does_not_read() -> None:
    made_parts = []

    def endless(request: Request) -> Iterator[bytes]:
        while request.connection.is_open:
            made_parts.append(1)
            yield bytes(100_000)

    with serving(endless) as made:
        peer = made.rig.connect()
        peer.send(7, b"", 1)
        made.rig.until(lambda: bool(made_parts))
        made.rig.until(lambda: made.rig.core.path.engine.open_slots()[0].connection.behind)
        before = len(made_parts)
        assert before < 1000
        peer.sock.close()
        made.rig.until(lambda: not made.rig.core.path.engine.open_slots())
