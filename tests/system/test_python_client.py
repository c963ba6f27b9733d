"""The generated Python client talks to a running daemon."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from commscaffoldd.client import AsyncCaller, AsyncClient, Caller, Client, ErrorReply
from tests.system.daemon import Daemon

PLUGIN = """
from __future__ import annotations
from collections.abc import Iterator
import msgspec
from commscaffoldd import Refuse, handler

class Greeting(msgspec.Struct):
    name: str
    times: int = 1

class Answer(msgspec.Struct, array_like=True):
    texts: list[str]

@handler(10)
def greet(request, body: Greeting) -> Answer:
    return Answer([f"hello, {body.name}"] * body.times)

@handler(11)
def count(request, body: int) -> Iterator[int]:
    yield from range(body)

@handler(12)
def refuse(request, body: str) -> str:
    raise Refuse(1007, body)

@handler(13)
def forget(request, body: str) -> None: ...
"""


@pytest.fixture
def generated(daemon: Daemon) -> Iterator[ModuleType]:
    """The module that the daemon's own command generates, imported; the daemon runs."""
    daemon.plugin("sample", PLUGIN)
    daemon.start()
    file = daemon.folder / "sample_client.py"
    done = daemon.command("generate", "python", "--title", "Sample", "-o", str(file))
    assert (done.code, done.err) == (0, "")
    spec = importlib.util.spec_from_file_location("sample_client", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["sample_client"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["sample_client"]


def test_calls_of_a_program_with_threads(generated: Any) -> None:
    with Client(generated.ADDRESS, generated.LAYOUT, timeout=15.0) as client:
        sample = generated.SampleClient(client)
        assert sample.greet(generated.Greeting("Ann", 2)) == generated.Answer(["hello, Ann", "hello, Ann"])
        assert sample.greet(generated.Greeting("Bob")).texts == ["hello, Bob"]
        assert list(sample.count(3, quiet=0.5)) == [0, 1, 2]
        assert sample.forget("it") is None
        with pytest.raises(ErrorReply, match="not today") as caught:
            sample.refuse("not today")
        assert caught.value.code == 1007


def test_calls_of_a_program_with_asyncio(generated: Any) -> None:
    async def talk() -> None:
        async with AsyncClient(generated.ADDRESS, generated.LAYOUT, timeout=15.0) as client:
            sample = generated.AsyncSampleClient(client)
            answers = await asyncio.gather(*(sample.greet(generated.Greeting(str(n))) for n in range(20)))
            assert [one.texts for one in answers] == [[f"hello, {n}"] for n in range(20)]
            assert [one async for one in sample.count(3, quiet=0.5)] == [0, 1, 2]
            await sample.forget("it")

    asyncio.run(talk())


def test_typed_calls_of_on_connect(generated: Any) -> None:
    texts: list[str] = []

    def log_in(connection: Caller) -> None:
        texts.extend(generated.SampleClient(connection).greet(generated.Greeting("thread")).texts)

    async def log_in_async(connection: AsyncCaller) -> None:
        sample = generated.AsyncSampleClient(connection)
        texts.extend((await sample.greet(generated.Greeting("task"))).texts)

    async def connect() -> None:
        async with AsyncClient(generated.ADDRESS, generated.LAYOUT, timeout=15.0, on_connect=log_in_async):
            pass

    with Client(generated.ADDRESS, generated.LAYOUT, timeout=15.0, on_connect=log_in):
        assert texts == ["hello, thread"]
    asyncio.run(connect())
    assert texts == ["hello, thread", "hello, task"]
