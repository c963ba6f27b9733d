"""From a handler to what a route calls: decoding, injecting, encoding, and the layers around it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from commscaffoldd import Connection, Refuse, Request
from commscaffoldd.core.deferred import Deferrals, Deferred
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.stacks import stack_of
from commscaffoldd.plugin.arguments import missing
from commscaffoldd.plugin.binding import bind
from commscaffoldd.plugin.injection import Injected, Provided
from commscaffoldd.plugin.layers import Function
from commscaffoldd.plugin.replies import WrongReplyError
from commscaffoldd.plugin.signature import read_signature


class Question(msgspec.Struct):
    text: str


class Answer(msgspec.Struct):
    text: str


class Database:
    def __init__(self, name: str) -> None:
        self.name = name


class Client:
    """As much of a connection as handlers look at here; reads only so many replies before it falls behind."""

    def __init__(self, reads: int = 1000) -> None:
        self.replies: list[bytes] = []
        self.id = "1.0.0"
        self.is_open = True
        self.reads = reads

    @property
    def behind(self) -> bool:
        return len(self.replies) > self.reads


def ask(body: bytes = b"", client: Client | None = None) -> Any:
    client = client or Client()

    def reply(body: bytes) -> bool:
        if client.is_open:
            client.replies.append(body)
        return client.is_open

    return SimpleNamespace(body=body, connection=client, reply=reply, deferred=None)


def bound(
    function: Callable[..., Any], injected: Injected | None = None, *middleware: Any, gate: Any = None
) -> Function:
    signature = read_signature(function)
    assert missing(signature, injected or {}) == []
    return bind(function, signature, injected or {}, middleware, gate)


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def answer(request: Request, body: Question) -> Answer:
    return Answer(body.text.upper())


def test_a_handler_of_bytes_is_its_own_bound_function() -> None:
    def raw(request: Request) -> bytes:
        return request.body

    assert bound(raw) is raw


def test_the_body_is_decoded_and_the_reply_encoded() -> None:
    assert bound(answer)(ask(pack(Question("why")))) == pack({"text": "WHY"})


def test_a_body_that_does_not_fit_never_reaches_the_handler() -> None:
    def never(request: Request, body: Question) -> Answer:
        raise AssertionError

    assert bound(never)(ask(pack({"text": 5}))) == Refusal(2, "body.text: Expected `str`, got `int`")


def test_everything_that_can_be_injected() -> None:
    client, late = Client(), Provided()

    def handler(request: Request, connection: Connection, body: str, *, database: Database, more: int = 3) -> str:
        return f"{body} {database.name} {more} {connection.id}"

    function = bound(handler, {Database: late})
    late.value = Database("main")  # after the binding, as a worker does

    assert function(ask(b"hello", client)) == b"hello main 3 1.0.0"


def test_a_parameter_with_a_default_is_given_what_is_there() -> None:
    def handler(request: Request, more: int = 3, database: Database | None = None) -> str:
        return f"{more} {database.name if database else None}"

    assert bound(handler)(ask()) == b"3 None"
    assert bound(handler, {Database: Provided.of(Database("main"))})(ask()) == b"3 main"


def test_what_nobody_provides() -> None:
    def handler(request: Request, database: Database, lists: list[int]) -> bytes: ...  # type: ignore[empty-body]

    assert missing(read_signature(handler), {Question: Provided()}) == [
        f"parameter {name}: {kind} is given to no handler (there are: Connection, Question; the message's body is "
        "given to a parameter named body)"
        for name, kind in [("database", "Database"), ("lists", "list[int]")]
    ]


def test_none_is_no_reply_where_the_annotation_says_so() -> None:
    def silent(request: Request, body: Question) -> Answer | None:
        return None

    assert bound(silent)(ask(pack(Question("")))) is None


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"text": "x"}, "expected Answer, found dict"),
        (None, "expected Answer, found NoneType"),
        (Answer(object()), "Encoding objects of type object is unsupported"),  # type: ignore[arg-type]
        (Answer("\ud800"), "surrogates not allowed"),
    ],
)
def test_a_reply_of_another_type_is_the_handlers_failure(result: Any, why: str) -> None:
    def wrong(request: Request, body: Question) -> Answer:
        return result  # type: ignore[no-any-return]

    with pytest.raises(WrongReplyError, match=rf"wrong returned what cannot be sent: .*{why}"):
        bound(wrong)(ask(pack(Question(""))))


def silently_later(request: Request, body: Question) -> Answer:
    request.deferred = Deferred(request, cast("Deferrals", None))
    return None  # type: ignore[return-value]


def test_the_log_shows_how_a_reply_was_made_but_not_how_its_type_was_checked() -> None:
    def wrong(request: Request, body: int) -> Answer:
        return body  # type: ignore[return-value]

    with pytest.raises(WrongReplyError) as caught:
        bound(wrong)(ask(pack(5)))
    assert caught.value.__suppress_context__


# -- layers -------------------------------------------------------------------------------------------------------


def noting(order: list[str], name: str) -> Callable[[Function], Function]:
    def layer(inner: Function) -> Function:
        def around(request: Any) -> Any:
            order.append(f"{name} before")
            try:
                result = inner(request)
            except Refuse as refuse:
                order.append(f"{name} refused {refuse.code}")
                raise
            order.append(f"{name} after {type(result).__name__}")
            return result

        return around

    return layer


@pytest.mark.parametrize("middleware", [(), (noting([], "layer"),)])
def test_a_deferred_reply_is_encoded_when_it_comes(middleware: Any) -> None:
    request = ask(pack(Question("why")))

    assert bound(silently_later, {}, *middleware)(request) is request.deferred
    assert request.deferred.encode(Answer("late")) == pack({"text": "late"})
    with pytest.raises(WrongReplyError, match="expected Answer, found str"):
        request.deferred.encode("late")


def test_the_order_of_layers() -> None:
    order: list[str] = []
    function = bound(answer, {}, noting(order, "outer"), noting(order, "inner"), gate=noting(order, "gate"))

    assert function(ask(pack(Question("why")))) == pack({"text": "WHY"})
    assert order == [
        *("gate before", "outer before", "inner before"),
        *("inner after Answer", "outer after Answer", "gate after bytes"),
    ]


def test_middleware_sees_a_body_that_does_not_fit_as_a_refusal() -> None:
    order: list[str] = []
    function = bound(answer, {}, noting(order, "layer"))

    with pytest.raises(Refuse, match=r"error 2: body\.text"):
        function(ask(pack({"text": 5})))
    assert order == ["layer before", "layer refused 2"]


def test_layers_around_a_handler_of_bytes() -> None:
    order: list[str] = []

    def raw(request: Request) -> bytes:
        return request.body

    assert bound(raw, {}, noting(order, "layer"), gate=noting(order, "gate"))(ask(b"x")) == b"x"
    assert order == ["gate before", "layer before", "layer after bytes", "gate after bytes"]


# -- who looks for the handler's own code finds it -----------------------------------------------------------------


def test_the_stack_of_a_bound_handler_begins_at_the_handler() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Plugin:
        def hang(self, request: Request, body: Question) -> Answer:
            inside.set()
            go_on.wait(10)
            return Answer("")

    function = bound(Plugin().hang, {}, noting([], "layer"), gate=noting([], "gate"))
    thread = threading.Thread(target=function, args=[ask(pack(Question("")))])
    thread.start()
    assert inside.wait(10)
    stack = stack_of(thread.ident or 0, function)
    go_on.set()
    thread.join()

    assert "in hang" in stack.splitlines()[0]
    assert "plugin/binding.py" not in stack.replace(__file__, "")


# -- async def ----------------------------------------------------------------------------------------------------


async def answer_later(request: Request, body: Question) -> Answer:
    await asyncio.sleep(0)
    return Answer(body.text.upper())


def test_an_async_handler_gives_an_awaitable_of_its_reply() -> None:
    assert asyncio.run(bound(answer_later)(ask(pack(Question("why"))))) == pack({"text": "WHY"})


def test_an_async_handler_of_bytes_is_its_own_bound_function() -> None:
    async def raw(request: Request) -> bytes:
        return request.body

    assert bound(raw) is raw


def test_a_body_that_does_not_fit_is_refused_at_once() -> None:
    assert bound(answer_later)(ask(b"")) == Refusal(
        2, "body: not the MessagePack that is expected: Input data was truncated"
    )


def test_middleware_around_an_async_handler() -> None:
    seen: list[Any] = []

    def layer(inner: Function) -> Function:
        async def around(request: Any) -> Any:
            seen.append(await inner(request))
            return seen[-1]

        return around

    assert asyncio.run(bound(answer_later, {}, layer)(ask(pack(Question("why"))))) == pack({"text": "WHY"})
    assert seen == [Answer("WHY")]


def test_an_async_reply_of_another_type() -> None:
    async def wrong(request: Request) -> Answer:
        return "text"  # type: ignore[return-value]

    with pytest.raises(WrongReplyError, match="wrong returned what cannot be sent: expected Answer, found str"):
        asyncio.run(bound(wrong)(ask()))


# -- streams ------------------------------------------------------------------------------------------------------


def count(request: Request, body: int) -> Iterator[Answer]:
    try:
        for number in range(body):
            yield Answer(str(number))
    finally:
        request.connection.session["closed"] = True


async def count_later(request: Request, body: int) -> AsyncIterator[Answer]:
    for number in range(body):
        await asyncio.sleep(0)
        yield Answer(str(number))


def run(function: Function, request: Any) -> Any:
    result = function(request)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.fixture
def client() -> Client:
    made = Client()
    made.session = {}  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("function", [count, count_later])
def test_each_yielded_value_is_a_reply(function: Callable[..., Any], client: Client) -> None:
    assert run(bound(function), ask(pack(3), client)) is None
    assert client.replies == [pack({"text": text}) for text in "012"]


@pytest.mark.parametrize("function", [count, count_later])
def test_a_stream_waits_for_a_client_that_is_behind(
    function: Callable[..., Any], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.reads, waits = 2, []

    def pause(_: float) -> None:
        waits.append(len(client.replies))
        if len(waits) == 3:
            client.reads = 1000

    async def pause_later(seconds: float) -> None:
        if seconds:
            pause(seconds)

    monkeypatch.setattr("commscaffoldd.plugin.streams.time.sleep", pause)
    monkeypatch.setattr("commscaffoldd.plugin.streams.asyncio.sleep", pause_later)
    run(bound(function), ask(pack(5), client))

    assert waits == [3, 3, 3]
    assert len(client.replies) == 5


def test_a_stream_ends_and_is_closed_when_its_client_has_gone(client: Client) -> None:
    def endless(request: Request) -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
                if len(client.replies) == 3:
                    client.is_open = False
        finally:
            client.session["closed"] = True  # type: ignore[attr-defined]

    run(bound(endless), ask(b"", client))

    assert client.replies == [b"x"] * 3
    assert client.session == {"closed": True}  # type: ignore[attr-defined]


def test_a_stream_sees_bad_bodies_and_wrong_parts(client: Client) -> None:
    def wrong(request: Request) -> Iterator[Answer]:
        yield 5  # type: ignore[misc]

    assert run(bound(count), ask(b"\xa1x", client)) == Refusal(2, "body: Expected `int`, got `str`")
    with pytest.raises(WrongReplyError, match="wrong yielded what cannot be sent: expected Answer, found int"):
        run(bound(wrong), ask(b"", client))
