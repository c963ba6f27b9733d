"""Whatever a plugin consists of: it works, or one line says plugin, file, line, function and what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.errors import PluginErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from commscaffoldd.plugin.host import PluginHost
    from tests.plugin.conftest import Workshop

HIDING = "def logged(function):\n    def inner(*args, **named): return function(*args, **named)\n    return inner\n"
HEAD = "import functools, typing, msgspec\nfrom commscaffoldd import every, handler, hookimpl, middleware\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(
            "@handler(5)\ndef f(request, body: '__import__(\"sys\").exit(3)'): ...",
            '3: handler f of message ID 5: parameter body: __import__("sys").exit(3) cannot be resolved: '
            "SystemExit: 3",
            id="an annotation that ends the process",
        ),
        pytest.param(
            "class A:\n    def __repr__(self): 1 / 0\n@handler(5)\ndef f(request, body: A()): ...",
            "5: handler f of message ID 5: parameter body: the codec cannot be made: "
            "ZeroDivisionError: division by zero",
            id="an annotation that cannot be shown",
        ),
        pytest.param(
            "class C:\n    def __init__(self): 1 / 0\n    def encode(self, value): ...\n"
            "    def decode(self, body): ...\n"
            "@handler(5)\ndef f(request, body: typing.Annotated[int, C]): ...",
            "7: handler f of message ID 5: parameter body: the codec cannot be made: "
            "ZeroDivisionError: division by zero",
            id="a codec that cannot be made",
        ),
        pytest.param(
            "t = int\nfor _ in range(5000): t = list[t]\n@handler(5)\ndef f(request, body: t): ...",
            "5: handler f of message ID 5: parameter body: the annotation cannot be resolved: RecursionError: ",
            id="an annotation that is too deep",
        ),
        pytest.param(
            "@handler(5)\ndef f(request, *body): ...",
            "3: handler f of message ID 5: parameter *body is given nothing: the message's body is given to a "
            "parameter named body, without a star",
            id="a body with a star",
        ),
        pytest.param(
            HIDING + "@handler(5)\n@logged\ndef f(request, body: int): ...",
            "4: handler logged.<locals>.inner of message ID 5: its parameters are (*args, **named), which hide what "
            "it wants: if they are those of a decorator, put @functools.wraps(function) above its inner function",
            id="a decorator that hides the signature",
        ),
        pytest.param(
            HIDING + "@logged\n@handler(5)\ndef f(request, body: int): ...\n@handler(6)\ndef g(request): ...",
            "6: f is marked, but another decorator above hides that: put @handler, @hookimpl, @middleware and "
            "@every above all others",
            id="a decorator that hides the mark",
        ),
        pytest.param(
            "class A:\n    @functools.cached_property\n    @handler(5)\n    def f(self): ...\n    @handler(6)\n"
            "    def g(self, request): ...\n@hookimpl\ndef create_plugin(): return A()",
            "4: A.f is marked, but another decorator above hides that: put @handler, @hookimpl, @middleware and "
            "@every above all others",
            id="a handler that is a property",
        ),
        pytest.param(
            "@handler(5)\ndef f(request): ...\nf.__signature__ = 5",
            "3: handler f of message ID 5: its signature cannot be found out: unexpected object 5 in __signature__ ",
            id="a signature that is none",
        ),
        pytest.param(
            "@hookimpl\ndef self_test(): ...\nself_test.__signature__ = 5",
            "3: hook self_test: its signature cannot be found out: unexpected object 5 in __signature__ attribute",
            id="a hook's signature that is none",
        ),
        pytest.param(
            "@handler(5, open='no')\ndef f(request): ...",
            "3: cannot be imported: TypeError: handler(5, open='no'): open is True or False",
            id="a flag that would be true",
        ),
        pytest.param(
            "@middleware(everywhere='no')\ndef f(request):\n    return (yield)",
            "3: cannot be imported: TypeError: middleware(everywhere='no'): everywhere is True or False",
            id="a middleware's flag that would be true",
        ),
        pytest.param(
            "later = every(5)(print)",
            "3: cannot be imported: TypeError: @every(5) cannot mark a builtin_function_or_method: wrap it in a "
            "function of your own",
            id="a timer that cannot be marked",
        ),
        pytest.param(
            "around = middleware(len)",
            "3: cannot be imported: TypeError: @middleware cannot mark a builtin_function_or_method: wrap it in a "
            "function of your own",
            id="a middleware that cannot be marked",
        ),
        pytest.param(
            "class Stop(BaseException): ...\n@hookimpl\ndef create_plugin(): raise Stop('here')",
            "5: create_plugin failed: Stop: here",
            id="an exception of the uncommon kind",
        ),
        pytest.param(
            "@hookimpl\ndef create_plugin(): raise KeyboardInterrupt",
            "4: create_plugin failed: KeyboardInterrupt",
            id="an interrupt that nobody has sent",
        ),
        pytest.param(
            "class A:\n    def __dir__(self): raise RuntimeError('no')\n@hookimpl\ndef create_plugin(): return A()",
            "4: cannot be looked at: RuntimeError: no",
            id="an object that cannot be looked at",
        ),
        pytest.param(
            "raise ModuleNotFoundError('gone', name=5)",
            "3: cannot be imported: ModuleNotFoundError: gone",
            id="an import error that names no module",
        ),
        pytest.param("raise SyntaxError", "3: cannot be imported: SyntaxError", id="a syntax error without a text"),
        pytest.param(
            "class P(typing.Protocol): ...\n@hookimpl\ndef worker_started() -> P: ...",
            "4: hook worker_started: its return annotation: P cannot be provided, since no value can be tested "
            "for it (",
            id="state that cannot be tested for",
        ),
        pytest.param(
            "class A(msgspec.Struct):\n    x: int\nclass B(msgspec.Struct):\n    y: int\nclass S(msgspec.Struct):\n"
            "    one: A | B | None = None\n@hookimpl\ndef create_plugin(settings: S): ...",
            "9: create_plugin: parameter settings: S: TypeError: If a type union contains multiple Struct types, ",
            id="settings that nobody could tell apart",
        ),
    ],
)
def test_one_line_says_what_is_wrong(shop: Workshop, text: str, error: str) -> None:
    shop.write("a.py", f"{HEAD}{text}\n")
    lines = shop.errors()
    assert len(lines) == 1
    assert lines[0].startswith(f"plugin a: a.py:{error}")


@pytest.mark.parametrize("hook", ["worker_started", "self_test"])
def test_a_hook_may_raise_anything(shop: Workshop, hook: str) -> None:
    shop.write("a.py", f"{HEAD}class Stop(BaseException): ...\n@hookimpl\ndef {hook}(): raise Stop('here')\n")
    host = shop.load()
    begin = host.self_test if hook == "self_test" else lambda: host.worker_started(WorkerInfo(1, 1))
    with pytest.raises(PluginErrors) as caught:
        begin()
    assert shop.lines(caught.value) == [f"plugin a: a.py:5: {hook} failed: Stop: here"]


def test_an_object_that_is_not_ready_yet_is_left_alone(shop: Workshop) -> None:
    shop.write(
        "a.py",
        f"{HEAD}class Lazy:\n    def __call__(self): ...\n    @property\n"
        "    def __class__(self): raise RuntimeError\ncurrent = Lazy()\n"
        "@handler(5)\ndef f(request): return b'here'\n",
    )
    assert 5 in shop.load().routes


@pytest.mark.parametrize(
    "function",
    [
        "functools.partial(lambda more, request: request.body * more, 2)",
        "functools.partial(lambda request, more: request.body * more, more=2)",
        "lambda request: request.body * 2",
        "type('Doubling', (), {'__call__': lambda self, request: request.body * 2})()",
    ],
)
def test_handlers_of_other_kinds(
    shop: Workshop, call: Callable[[PluginHost, int, bytes], object], function: str
) -> None:
    shop.write("a.py", f"{HEAD}double = handler(5)({function})\n")
    assert call(shop.load(), 5, b"ab") == b"abab"


def test_an_object_with_an_async_call_is_async(shop: Workshop) -> None:
    shop.write(
        "a.py",
        f"{HEAD}class A:\n    async def __call__(self, request, body: int) -> int: return body\n"
        "class B:\n    async def __call__(self): ...\n"
        "f = handler(5)(A())\nlater = every(5)(B())\n",
    )
    host = shop.load()
    assert host.routes[5].mode == "async"
    assert [timer.is_async for timer in host.timers] == [True]


def test_a_stream_need_not_say_of_what(shop: Workshop) -> None:
    shop.write("a.py", f"{HEAD}@handler(5)\ndef f(request) -> typing.Iterator:\n    yield b''\n")
    assert shop.load().handlers[5].signature.is_stream
