"""Both clients behind one face, so that one test is for both: the asyncio client has a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, Unpack, cast

import pytest

from commscaffoldd.client import AsyncCaller, AsyncClient, Caller, Client, Push
from commscaffoldd.client.settings import AnyLayout, CommonOptions

T = TypeVar("T")


class AnyCaller(Protocol):
    """What tests do within `on_connect`."""

    def call(self, message_id: int, body: Any = b"", **how: Any) -> Any: ...

    def send(self, message_id: int, body: Any = b"", **how: Any) -> None: ...


OnConnect = Callable[[AnyCaller], object]


class AnyClient(AnyCaller, Protocol):
    """What tests do with a client."""

    def begin(self, message_id: int, body: Any = b"", **how: Any) -> Future[Any]:
        """A call in the background."""

    def stream(self, message_id: int, body: Any = b"", **how: Any) -> list[Any]:
        """All replies."""

    def next_push(self, timeout: float = 10.0) -> Push | None: ...

    def pushes(self) -> list[Push]:
        """All until the client is closed."""

    @property
    def pushes_dropped(self) -> int: ...

    def close(self) -> None: ...


class Threads:
    """The blocking client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(32)

    def call(self, message_id: int, body: Any = b"", **how: Any) -> Any:
        return self._client.call(message_id, body, **how)

    def send(self, message_id: int, body: Any = b"", **how: Any) -> None:
        self._client.send(message_id, body, **how)

    def close(self) -> None:
        self._client.close()

    def begin(self, message_id: int, body: Any = b"", **how: Any) -> Future[Any]:
        return self._pool.submit(self.call, message_id, body, **how)

    def stream(self, message_id: int, body: Any = b"", **how: Any) -> list[Any]:
        return list(self._client.stream(message_id, body, **how))

    def next_push(self, timeout: float = 10.0) -> Push | None:
        return self._client.next_push(timeout)

    def pushes(self) -> list[Push]:
        return list(self._client.pushes())

    @property
    def pushes_dropped(self) -> int:
        return self._client.pushes_dropped

    def end(self) -> None:
        self._client.close()
        self._pool.shutdown()


class Tasks:
    """The asyncio client, with a loop in a thread."""

    def __init__(self, make: Callable[[], AsyncClient]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._client = self._run(self._open(make))
        except BaseException:
            self._stop()
            raise

    def call(self, message_id: int, body: Any = b"", **how: Any) -> Any:
        return self.begin(message_id, body, **how).result()

    def begin(self, message_id: int, body: Any = b"", **how: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self._client.call(message_id, body, **how), self._loop)

    def send(self, message_id: int, body: Any = b"", **how: Any) -> None:
        self._run(self._client.send(message_id, body, **how))

    def stream(self, message_id: int, body: Any = b"", **how: Any) -> list[Any]:
        async def take() -> list[Any]:
            return [reply async for reply in self._client.stream(message_id, body, **how)]

        return self._run(take())

    def next_push(self, timeout: float = 10.0) -> Push | None:
        return self._run(self._client.next_push(timeout))

    def pushes(self) -> list[Push]:
        async def take() -> list[Push]:
            return [push async for push in self._client.pushes()]

        return self._run(take())

    @property
    def pushes_dropped(self) -> int:
        return self._client.pushes_dropped

    def close(self) -> None:
        self._run(self._client.close())

    def end(self) -> None:
        try:
            self.close()
        finally:
            self._stop()

    @staticmethod
    async def _open(make: Callable[[], AsyncClient]) -> AsyncClient:
        client = make()
        await client.connect()
        return client

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self) -> None:
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        assert not asyncio.all_tasks(self._loop), "tasks are left behind"
        self._loop.close()


class Within:
    """What an asynchronous `on_connect` is given, for one that blocks, in a thread of its own."""

    def __init__(self, caller: AsyncCaller, loop: asyncio.AbstractEventLoop) -> None:
        self._caller = caller
        self._loop = loop

    def call(self, message_id: int, body: Any = b"", **how: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(self._caller.call(message_id, body, **how), self._loop).result()

    def send(self, message_id: int, body: Any = b"", **how: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._caller.send(message_id, body, **how), self._loop).result()


class Open(Protocol):
    """Makes a client, which is closed at the end."""

    def __call__(
        self,
        address: str,
        layout: AnyLayout = "standard",
        *,
        on_connect: OnConnect | None = None,
        **options: Unpack[CommonOptions],
    ) -> contextlib.AbstractContextManager[AnyClient]: ...


@contextlib.contextmanager
def blocking(
    address: str,
    layout: AnyLayout = "standard",
    *,
    on_connect: OnConnect | None = None,
    **options: Unpack[CommonOptions],
) -> Iterator[AnyClient]:
    hook = cast("Callable[[Caller], object] | None", on_connect)  # an AnyCaller says less of what it takes
    client = Threads(Client(address, layout, on_connect=hook, **options))
    try:
        yield client
    finally:
        client.end()
        left = [thread.name for thread in threading.enumerate() if thread.name == f"commscaffoldd client {address}"]
        assert not left


@contextlib.contextmanager
def asynchronous(
    address: str,
    layout: AnyLayout = "standard",
    *,
    on_connect: OnConnect | None = None,
    **options: Unpack[CommonOptions],
) -> Iterator[AnyClient]:
    async def in_thread(caller: AsyncCaller) -> None:
        assert on_connect is not None
        await asyncio.to_thread(on_connect, Within(caller, asyncio.get_running_loop()))

    hook = None if on_connect is None else in_thread
    client = Tasks(lambda: AsyncClient(address, layout, on_connect=hook, **options))
    try:
        yield client
    finally:
        client.end()


each_client = pytest.mark.parametrize("connect", [blocking, asynchronous], ids=["blocking", "async"])
