from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.plugin.api import HANDLER_MARK, HandlerMark, handler


def test_a_handler_stays_callable_and_bears_its_id() -> None:
    @handler(1001)
    def double(request: bytes) -> bytes:
        return request * 2

    assert double(b"ab") == b"abab"
    assert getattr(double, HANDLER_MARK) == (HandlerMark(1001, "pool"),)


def test_several_ids_on_one_function_each_with_its_mode() -> None:
    @handler(1)
    @handler(2, inline=True)
    @handler(3, concurrent=True)
    def echo(request: bytes) -> bytes:
        return request

    assert getattr(echo, HANDLER_MARK) == (
        HandlerMark(1, "pool"),
        HandlerMark(2, "inline"),
        HandlerMark(3, "concurrent"),
    )


def test_a_handler_may_say_how_long_it_may_run() -> None:
    @handler(1, timeout=0.5)
    @handler(2, timeout=0)
    @handler(3)
    def echo(request: bytes) -> bytes:
        return request

    assert [mark.timeout for mark in getattr(echo, HANDLER_MARK)] == [0.5, 0, None]


def test_the_largest_id() -> None:
    handler(2**64 - 1)


untyped: Any = handler  # what a plugin without a type checker would see


@pytest.mark.parametrize(
    ("use", "kind", "text"),
    [
        (lambda: untyped(0), ValueError, "heartbeat"),
        (lambda: untyped(-1), ValueError, "from 1 to 18446744073709551615"),
        (lambda: untyped(2**64), ValueError, "from 1 to 18446744073709551615"),
        (lambda: untyped("5"), TypeError, "'5'.*is an int"),
        (lambda: untyped(True), TypeError, "is an int"),
        (lambda: untyped(lambda request: request), TypeError, r"write @handler\(1001\)"),
        (lambda: untyped(5, inline=True, concurrent=True), ValueError, "exclude each other"),
        (lambda: untyped(5, timeout="1 s"), TypeError, "seconds from 0"),
        (lambda: untyped(5, timeout=True), TypeError, "seconds from 0"),
        (lambda: untyped(5, timeout=-1), ValueError, r"timeout=-1.*seconds from 0 \(never\) to 31,536,000"),
        (lambda: untyped(5, timeout=float("nan")), ValueError, "seconds from 0"),
        (lambda: untyped(5)(int), TypeError, "the class int"),
        (lambda: untyped(5)(len), TypeError, "function of your own"),
        (lambda: untyped(5)("x"), TypeError, "not on a str"),
        (lambda: untyped(5)(untyped(5)(lambda request: request.body)), ValueError, "twice"),
    ],
)
def test_wrong_use_is_told_at_once(use: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        use()
