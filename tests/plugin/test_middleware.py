"""Middleware around handlers: what it sees, what it can change, and what it must not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core.refusal import Refusal
from commscaffoldd.plugin.injection import Provided
from commscaffoldd.plugin.middleware import (
    Middleware,
    MiddlewareError,
    MiddlewareMark,
    applying_to,
    around,
    around_async,
    middleware,
)

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop

Halves = Generator[None, Any, Any]
Call = Callable[..., object]


def made(function: Callable[..., Halves], plugin: str = "greet", **mark: Any) -> Middleware:
    return Middleware(plugin, function.__name__, function, MiddlewareMark(**{"everywhere": False, "order": 0} | mark))


def call_plain(
    handler: Callable[[Any], object], *middlewares: Callable[..., Halves], request: object = b""
) -> object:
    return around(handler, [made(one) for one in middlewares])(request)


def call_async(
    handler: Callable[[Any], object], *middlewares: Callable[..., Halves], request: object = b""
) -> object:
    async def waits(request: object) -> object:
        await asyncio.sleep(0)
        return handler(request)

    return asyncio.run(around_async(waits, [made(one) for one in middlewares])(request))


@pytest.fixture(params=[call_plain, call_async], ids=["plain", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Both kinds of handlers: they must not differ."""
    function: Call = request.param
    return function


def shout(_: Any) -> Halves:
    reply = yield
    return reply + b"!"


def twice(_: Any) -> Halves:
    reply = yield
    return reply * 2


def test_it_gets_the_reply_and_returns_another(call: Call) -> None:
    assert call(lambda request: request, shout, request=b"hello") == b"hello!"


def test_the_first_one_is_outermost(call: Call) -> None:
    assert call(lambda _: b"a", shout, twice) == b"aa!"
    assert call(lambda _: b"a", twice, shout) == b"a!a!"


def test_what_it_raises_before_keeps_the_handler_from_being_called(call: Call) -> None:
    def refuse(request: Any) -> Halves:
        if request:
            raise PermissionError(request)
        return (yield)

    called: list[object] = []
    with pytest.raises(PermissionError, match="who"):
        call(called.append, shout, refuse, request="who")
    assert called == []


def test_the_handlers_exception_comes_out_of_the_yield(call: Call) -> None:
    seen: list[str] = []

    def watch(_: Any) -> Halves:
        try:
            return (yield)
        except ValueError as error:
            seen.append(str(error))
            raise

    def rescue(_: Any) -> Halves:
        try:
            return (yield)
        except ValueError:
            return b"rescued"

    def fail(_: object) -> bytes:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        call(fail, watch)
    assert call(fail, rescue, watch) == b"rescued"
    assert seen == ["bad", "bad"]


def test_an_exception_that_it_does_not_mind_passes_with_its_finally(call: Call) -> None:
    ended: list[bool] = []

    def tidy(_: Any) -> Halves:
        try:
            return (yield)
        finally:
            ended.append(True)

    def fail(_: object) -> bytes:
        raise KeyError("k")

    with pytest.raises(KeyError):
        call(fail, tidy, shout)
    assert ended == [True]


def test_a_stop_iteration_of_the_handler_is_no_reply(call: Call) -> None:
    """Generators end by it: it must not be taken for their end."""

    def fail(_: object) -> bytes:
        raise StopIteration(b"not a reply")

    with pytest.raises(RuntimeError):
        call(fail, shout)


def test_one_that_yields_twice_is_named_and_closed(call: Call) -> None:
    closed: list[bool] = []

    def greedy(_: Any) -> Halves:
        try:
            yield
            yield
            return b"?"
        finally:
            closed.append(True)

    with pytest.raises(
        MiddlewareError, match="middleware greedy of plugin greet must yield exactly once, and it did so"
    ):
        call(lambda _: b"a", greedy)
    assert closed == [True]


def test_one_that_yields_again_after_an_exception_is_named(call: Call) -> None:
    def again(_: Any) -> Halves:
        try:
            yield
        except ValueError:
            yield
        return b"?"

    def fail(_: object) -> bytes:
        raise ValueError

    with pytest.raises(MiddlewareError, match="a second time"):
        call(fail, again)


def test_one_that_does_not_yield_is_named(call: Call) -> None:
    def hasty(request: Any) -> Halves:
        if not request:
            return b"no"
        return (yield)

    called: list[object] = []
    with pytest.raises(
        MiddlewareError, match="middleware hasty of plugin greet must yield exactly once, and it returned"
    ):
        call(called.append, hasty)
    assert called == []


def test_without_middleware_a_handler_is_what_it_was() -> None:
    handler: Callable[[Any], bytes] = lambda _: b"a"  # noqa: E731  # the very object counts
    assert around(handler, []) is handler
    assert around_async(handler, []) is handler


def test_a_refusal_of_an_async_handler_need_not_be_awaited() -> None:
    """A body that does not fit is found before there is anything to await."""
    refusal = Refusal(2, "no")

    def keep(_: Any) -> Halves:
        return (yield)

    assert asyncio.run(around_async(lambda _: refusal, [made(keep)])(b"")) is refusal


def test_a_cancelled_handler_ends_its_middleware() -> None:
    seen: list[type] = []

    def watch(_: Any) -> Halves:
        try:
            return (yield)
        except asyncio.CancelledError as error:
            seen.append(type(error))
            raise

    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(around_async(hang, [made(watch)])(b""))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == [asyncio.CancelledError]


def test_what_it_wants_is_injected_when_it_is_called() -> None:
    provided = Provided()

    def add(_: Any, suffix: bytes) -> Halves:
        reply = yield
        return reply + suffix

    layered = around(lambda _: b"a", [Middleware("p", "add", add, MiddlewareMark(False, 0), {"suffix": provided})])
    provided.value = b"?"
    assert layered(b"") == b"a?"


def test_whose_handlers_and_in_which_order() -> None:
    found = [
        made(shout, "a", order=1),
        made(twice, "a"),
        made(shout, "b", everywhere=True, order=5),
        made(twice, "b", everywhere=True),
        made(shout, "b", order=-1),
    ]
    order = [(one.plugin, one.mark.everywhere, one.mark.order) for one in applying_to("a", found)]
    assert order == [("b", True, 0), ("b", True, 5), ("a", False, 0), ("a", False, 1)]


@given(st.lists(st.binary(min_size=1, max_size=2), max_size=6))
def test_any_number_of_them_nests_like_calls(names: list[bytes]) -> None:
    trace: list[bytes] = []

    def tracing(name: bytes) -> Callable[..., Halves]:
        def one(_: Any) -> Halves:
            trace.append(b"<" + name)
            reply = yield
            trace.append(name + b">")
            return reply

        return one

    assert call_plain(lambda request: request, *map(tracing, names), request=b"x") == b"x"
    assert trace == [b"<" + name for name in names] + [name + b">" for name in reversed(names)]


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        (lambda: middleware(order="first"), "order='first'"),  # type: ignore[call-overload]
        (lambda: middleware(order=True), "an order is an int"),
        (lambda: middleware(7), "not on int"),  # type: ignore[call-overload]
        (lambda: middleware(Middleware), "not on Middleware"),  # type: ignore[type-var]
    ],
)
def test_a_wrong_mark_says_what_is_right(mark: Callable[[], object], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        mark()


HEAD = "from commscaffoldd import middleware, handler\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "@middleware\ndef m(request):\n    reply = yield",
            "never returns a value, so it swallows every reply: end it with `return reply`",
        ),
        (
            "@middleware\ndef m(request):\n    yield\n    def inner():\n        return 1\n    return",
            "never returns a value, so it swallows every reply: end it with `return reply`",
        ),
        (
            "@middleware\ndef m(request):\n    return b''",
            (
                "has no yield: it is a generator function, that calls the handler by `reply = yield`, and returns "
                "the reply"
            ),
        ),
        (
            "@middleware\nasync def m(request):\n    return b''",
            (
                "is an async function: it is a generator function, that calls the handler by `reply = yield`, and "
                "returns the reply"
            ),
        ),
        (
            "@middleware\nasync def m(request):\n    yield",
            (
                "is an async generator: write it with a plain def; it serves async handlers, too, and its "
                "yield waits for them"
            ),
        ),
        (
            "@middleware\ndef m():\n    return (yield)",
            "takes no request: that is its first parameter, what it wants besides is injected by annotation",
        ),
    ],
)
def test_what_is_wrong_is_found_when_it_is_loaded(shop: Workshop, text: str, error: str) -> None:
    shop.write("bad.py", HEAD + text)
    assert shop.errors() == [f"plugin bad: bad.py:2: middleware m {error}"]


def test_a_parameter_that_says_nothing_is_an_error(shop: Workshop) -> None:
    shop.write("bad.py", HEAD + "@middleware\ndef m(request, more):\n    return (yield)")
    says = "parameter more has no annotation that says what it is given"
    assert shop.errors() == [f"plugin bad: bad.py:2: middleware m: {says}"]


@pytest.mark.parametrize(
    "body",
    [
        "reply = yield\n    return reply",
        "return (yield)",
        "reply = yield\n    return reply or None",
        "reply = yield\n    return None if reply is None else b'x'",
        "with open(__file__):\n        reply = yield\n        return reply",
        "try:\n        reply = yield\n    except ValueError:\n        return None\n    else:\n        return reply",
        "try:\n        return (yield)\n    finally:\n        print()",
        "yield\n    return 7",
    ],
)
def test_every_way_to_return_a_value_is_seen(shop: Workshop, body: str) -> None:
    shop.write("good.py", HEAD + f"@middleware\ndef m(request):\n    {body}")
    shop.load()


def test_a_plugins_middleware_is_around_its_own_handlers_and_everywhere_means_all(shop: Workshop) -> None:
    shop.write(
        "audit.py",
        """
        from commscaffoldd import hookimpl, middleware

        class Audit:
            @middleware(everywhere=True)
            def all_of_them(self, request):
                reply = yield
                return b"[" + reply + b"]"

        @hookimpl
        def create_plugin():
            return Audit()
        """,
    )
    shop.write(
        "greet.py",
        """
        from commscaffoldd import handler, middleware

        @middleware
        def shout(request):
            reply = yield
            return reply + b"!"

        @handler(1)
        def greet(request):
            return b"hello"
        """,
    )
    shop.write("plain.py", "from commscaffoldd import handler\n@handler(2)\ndef plain(request):\n    return b'plain'")
    host = shop.load()
    assert [host.routes[one].function(object()) for one in (1, 2)] == [b"[hello!]", b"[plain]"]
