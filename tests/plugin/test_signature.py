"""What a handler's annotations say."""

# ruff: noqa: ANN001, ANN201  handlers without annotations are handlers

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest

from commscaffoldd import Connection, Request
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.plugin.signature import SignatureErrors, read_signature

if TYPE_CHECKING:
    from decimal import Decimal


class Question(msgspec.Struct):
    text: str


class Answer(msgspec.Struct):
    text: str


class Database: ...


def raw(request): ...  # type: ignore[no-untyped-def]
def raw_too(request: Request) -> bytes | None: ...
def raw_any(request: NeverLookedAt) -> Any: ...  # type: ignore[name-defined]  # noqa: F821
def raw_rest(request: Request, *rest: object, more: int = 3, **others: object) -> bytearray: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("function", [raw, raw_too, raw_any, len, functools.partial(raw), lambda _: b""])
def test_a_handler_of_bytes_is_left_as_it_is(function: Callable[..., Any]) -> None:
    signature = read_signature(function)

    assert signature.is_raw
    assert (signature.body, signature.reply, signature.may_be_silent) == (None, None, True)


def typed(request: Request, body: Question, connection: Connection, *, database: Database) -> Answer: ...  # type: ignore[empty-body]


def test_body_reply_and_what_is_injected() -> None:
    signature = read_signature(typed, "json")

    assert signature.body is not None
    assert signature.reply is not None
    assert (signature.body.type, signature.body.name) == (Question, "json")
    assert (signature.reply.type, signature.reply.name) == (Answer, "json")
    assert not signature.may_be_silent
    assert [(one.name, one.type, one.source, one.by_name) for one in signature.arguments] == [
        ("body", Question, "body", False),
        ("connection", Connection, "injected", False),
        ("database", Database, "injected", True),
    ]


def untyped_body(request, body): ...  # type: ignore[no-untyped-def]
def nothing(request: Request, body: str) -> None: ...
def perhaps(request: Request) -> Answer | None: ...


def test_a_body_without_annotation_is_bytes() -> None:
    body = read_signature(untyped_body).body
    assert body is not None
    assert body.name == "bytes"


def deferring(request: Request) -> Answer | Deferred: ...  # type: ignore[empty-body]
def deferring_bytes(request: Request) -> Deferred | None: ...


def test_who_may_answer_later() -> None:
    found = read_signature(deferring)
    assert found.reply is not None
    assert (found.reply.type, found.may_be_silent) == (Answer, False)
    assert read_signature(deferring_bytes).is_raw


def test_who_may_be_silent() -> None:
    assert read_signature(nothing).may_be_silent
    found = read_signature(perhaps)
    assert found.may_be_silent
    assert found.reply is not None
    assert found.reply.type is Answer


class Plugin:
    def ask(self, request: Request, body: Question) -> Answer: ...  # type: ignore[empty-body]


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return wrapper


@pytest.mark.parametrize("function", [Plugin().ask, logged(Plugin().ask), functools.partial(Plugin().ask)])
def test_methods_and_wrappers(function: Callable[..., Any]) -> None:
    body = read_signature(function).body
    assert body is not None
    assert body.type is Question


def pages(request: Request, body: Question) -> Iterator[Answer]:
    yield Answer(body.text)


def lines(request: Request) -> Generator[bytes, None, None]:
    yield b""


async def later(request: Request, body: Question) -> Answer:
    return Answer(body.text)


async def ticks(request: Request) -> AsyncIterator[Answer]:
    yield Answer("")


@pytest.mark.parametrize(
    ("function", "is_async", "is_stream", "part"),
    [
        (pages, False, True, Answer),
        (lines, False, True, None),
        (later, True, False, Answer),
        (ticks, True, True, Answer),
    ],
)
def test_who_waits_and_who_streams(
    function: Callable[..., Any],
    is_async: bool,  # noqa: FBT001
    is_stream: bool,  # noqa: FBT001
    part: object,
) -> None:
    found = read_signature(function)

    assert (found.is_async, found.is_stream) == (is_async, is_stream)
    assert (found.reply.type if found.reply else None) is part
    assert not (found.is_stream and found.is_raw)


def no_request() -> bytes: ...  # type: ignore[empty-body]
def body_first(body: Question) -> bytes: ...  # type: ignore[empty-body]
def named_only(*, request: Request) -> bytes: ...  # type: ignore[empty-body]
def bare(request: Request, database) -> bytes: ...  # type: ignore[no-untyped-def, empty-body]
def type_checking(request: Request, body: Decimal) -> bytes: ...  # type: ignore[empty-body]
def misspelt(request: Request, body: Question) -> Anser: ...  # type: ignore[name-defined]  # noqa: F821
def no_codec(request: Request, body: Database) -> Callable[..., int]: ...  # type: ignore[empty-body]
def broken(request: Request, body: Annotated[int, "a", 1 / 0]) -> bytes: ...  # type: ignore[empty-body]


def wrong_stream(request: Request) -> list[Answer]:  # type: ignore[misc]
    yield Answer("")


async def wrong_async_stream(request: Request) -> Iterator[Answer]:  # type: ignore[misc]
    yield Answer("")


@pytest.mark.parametrize(
    ("function", "reasons"),
    [
        (no_request, ["its parameters are (): the first one must take the request"]),
        (body_first, ["its parameters are (body): the first one must take the request"]),
        (named_only, ["its parameters are (*, request): the first one must take the request"]),
        (
            bare,
            ["parameter database has no annotation: after the request come body, and parameters whose annotation"],
        ),
        (
            type_checking,
            [
                (
                    "parameter body: Decimal cannot be resolved: name 'Decimal' is not defined (what is imported "
                    "only `if TYPE_CHECKING:` is not there when the daemon runs)"
                )
            ],
        ),
        (
            misspelt,
            ["the reply's annotation: Anser cannot be resolved: name 'Anser' is not defined (what is imported only"],
        ),
        (
            no_codec,
            [
                (
                    "parameter body: there is no codec for Database: make it a msgspec.Struct, mark it with @codec, "
                    "or write Annotated[Database, A_CODEC]"
                ),
                "the reply's annotation: there is no codec for Callable",
            ],
        ),
        (broken, ["parameter body: Annotated[int, 'a', 1 / 0] cannot be resolved: ZeroDivisionError"]),
        (wrong_stream, ["the reply's annotation is list[Answer]: a function that yields returns Iterator[X]"]),
        (
            wrong_async_stream,
            ["the reply's annotation is Iterator[Answer]: a function that yields returns AsyncIterator[X]"],
        ),
    ],
)
def test_each_mistake_is_named(function: Callable[..., Any], reasons: list[str]) -> None:
    with pytest.raises(SignatureErrors) as caught:
        read_signature(function)

    assert len(caught.value.reasons) == len(reasons)
    for found, expected in zip(caught.value.reasons, reasons, strict=True):
        assert found.startswith(expected)
