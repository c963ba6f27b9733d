"""The asyncio client: many tasks, one connection or several; each call gets its own reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack, overload

from commscaffoldd.client.async_keeper import AsyncKeeper
from commscaffoldd.client.async_waiter import AsyncCall, AsyncStream
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.errors import ConnectionClosed, NotHandled
from commscaffoldd.client.push_queue import AsyncPushQueue
from commscaffoldd.client.settings import AnyLayout, CallOptions, Options, Settings, StreamOptions, read_layout
from commscaffoldd.client.typed import Typing
from commscaffoldd.codecs import Format
from commscaffoldd.core.address import Address

T = TypeVar("T")
logger: Final = logging.getLogger("commscaffoldd.client")


class AsyncClient:
    """A client for the tasks of one event loop; an asynchronous context manager, which connects and closes it.

        async with AsyncClient("127.0.0.1:9000") as client:
            assert await client.call(1, b"hello") == b"hello"

    Its methods are those of `Client`, with the same meaning.
    """

    def __init__(self, address: Address | str, layout: AnyLayout = "standard", **options: Unpack[Options]) -> None:
        """Not connected yet: `connect`, or `async with`.

        Args:
            address: as for `Client`.
            layout: as for `Client`.
            options: as for `Client`.

        Raises:
            ValueError: not an address, not a layout, an option that cannot be.
        """
        where = Address.parse(address) if isinstance(address, str) else address
        self._settings = Settings(address=where, layout=read_layout(layout), **options)
        self._typing = Typing(str(where))
        self._pushes = AsyncPushQueue(self._settings.push_queue)
        self._slots = asyncio.Semaphore(self._settings.most_in_flight)
        self._keeper = AsyncKeeper(self._settings, self._take_push)

    async def connect(self) -> None:
        """Connect; once.

        Raises:
            OSError: it cannot be reached (TimeoutError, ssl.SSLError, ...).
            ConnectionClosed: it was closed meanwhile.
            ClientError: it has been connected before.
        """
        await self._keeper.start()

    async def __aenter__(self) -> Self:
        """Itself, connected."""
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close all connections; calls in flight raise ConnectionClosed. Closing twice does nothing."""
        try:
            await self._keeper.close()
        finally:
            self._pushes.close()

    @property
    def pushes_dropped(self) -> int:
        """Pushes that nobody took in time."""
        return self._pushes.dropped

    @overload
    async def call(self, message_id: int, body: object = ..., **how: Unpack[CallOptions]) -> bytes: ...

    @overload
    async def call(self, message_id: int, body: object = ..., *, reply: type[T], **how: Unpack[CallOptions]) -> T: ...

    async def call(
        self,
        message_id: int,
        body: object = b"",
        *,
        reply: type[Any] = bytes,
        format: Format | None = None,  # noqa: A002  # the codecs' own word
        timeout: float | None = None,  # noqa: ASYNC109  # as in `Client`
        retry: bool = False,
    ) -> Any:
        """Send a message and wait for its reply's body. See `Client.call`.

        A call that is cancelled is given up; the daemon handles it all the same.
        """
        data = self._typing.encode(body, format)
        if reply is bytes:
            return await self._call(message_id, data, timeout, retry=retry)
        decode = self._typing.decoder(message_id, reply, format)
        return decode(await self._call(message_id, data, timeout, retry=retry))

    async def send(
        self,
        message_id: int,
        body: object = b"",
        *,
        format: Format | None = None,  # noqa: A002
        timeout: float | None = None,  # noqa: ASYNC109  # as in `Client`
    ) -> None:
        """Send a message, and wait for nothing but that there is room for it. See `Client.send`."""
        data = self._typing.encode(body, format)
        deadline = asyncio.get_running_loop().time() + self._settings.seconds(timeout)
        while True:
            link = self._keeper.link() or await self._keeper.wait_for_link(deadline)
            try:
                link.send(message_id, data)
            except NotHandled:
                if self._settings.reconnect is None:
                    raise
                self._keeper.retire(link)
            else:
                return

    @overload
    def stream(self, message_id: int, body: object = ..., **how: Unpack[StreamOptions]) -> AsyncIterator[bytes]: ...

    @overload
    def stream(
        self, message_id: int, body: object = ..., *, reply: type[T], **how: Unpack[StreamOptions]
    ) -> AsyncIterator[T]: ...

    def stream(
        self,
        message_id: int,
        body: object = b"",
        *,
        reply: type[Any] = bytes,
        format: Format | None = None,  # noqa: A002
        count: int | None = None,
        until: Callable[[Any], bool] | None = None,
        quiet: float | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Any]:
        """Send a message when the iteration begins, and give the bodies of all its replies. See `Client.stream`.

        Who leaves the iteration early closes it: `contextlib.aclosing`.
        """
        if not self._settings.layout.has_sequence:
            raise ValueError(f"layout {self._settings.layout.name} has no sequence: streams need one")
        seconds = self._settings.seconds(timeout)
        decode = self._typing.decoder(message_id, reply, format)
        return self._stream(message_id, self._typing.encode(body, format), decode, count, until, quiet, seconds)

    async def pushes(self) -> AsyncIterator[Push]:
        """Pushes, as they come, until the client is closed. Each goes to one of those who iterate."""
        while (push := await self.next_push()) is not None:
            yield push

    async def next_push(self, timeout: float | None = None) -> Push | None:  # noqa: ASYNC109  # as in `Client`
        """The next push; `None` once the client is closed. See `Client.next_push`."""
        if self._settings.on_push is not None:
            raise ValueError("this client's pushes go to on_push")
        try:
            async with asyncio.timeout(timeout):
                return await self._pushes.get()
        except TimeoutError:
            raise TimeoutError(f"no push within {timeout or 0.0:g} seconds") from None

    async def _call(self, message_id: int, body: bytes, timeout: float | None, *, retry: bool) -> bytes:  # noqa: ASYNC109
        seconds = self._settings.seconds(timeout)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await self._take_slot(deadline, seconds)
        try:
            while True:
                link = self._keeper.link() or await self._keeper.wait_for_link(deadline)
                waiter = AsyncCall(loop)
                timer = loop.call_at(deadline, waiter.expire)
                try:
                    link.call(waiter, message_id, body)
                    return await waiter.future
                except NotHandled:
                    if self._settings.reconnect is None:
                        raise
                    self._keeper.retire(link)
                except ConnectionClosed:
                    if not retry:
                        raise
                    self._keeper.retire(link)
                except TimeoutError:
                    link.abandon(waiter)
                    raise self._no_reply(message_id, seconds) from None
                except BaseException:  # cancelled
                    link.abandon(waiter)
                    raise
                finally:
                    timer.cancel()
        finally:
            self._slots.release()

    async def _stream(
        self,
        message_id: int,
        body: bytes,
        decode: Callable[[bytes], T],
        count: int | None,
        until: Callable[[T], bool] | None,
        quiet: float | None,
        seconds: float,
    ) -> AsyncIterator[T]:
        deadline = asyncio.get_running_loop().time() + seconds
        await self._take_slot(deadline, seconds)
        try:
            given = 0
            while count is None or given < count:
                link = self._keeper.link() or await self._keeper.wait_for_link(deadline)
                stream = AsyncStream()
                try:
                    link.call(stream, message_id, body)
                    while count is None or given < count:
                        reply = decode(await stream.next(seconds if quiet is None else min(quiet, seconds)))
                        given += 1
                        yield reply
                        if until is not None and until(reply):
                            return
                except NotHandled:  # then no reply has come
                    if self._settings.reconnect is None:
                        raise
                    self._keeper.retire(link)
                except TimeoutError:
                    if quiet is not None and quiet <= seconds:
                        return
                    raise self._no_reply(message_id, seconds) from None
                finally:
                    link.abandon(stream)
        finally:
            self._slots.release()

    def _no_reply(self, message_id: int, seconds: float) -> TimeoutError:
        return TimeoutError(
            f"{self._settings.address}: no reply to message ID {message_id} within {seconds:g} seconds"
        )

    async def _take_slot(self, deadline: float, seconds: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # returns at once
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            limit = self._settings.most_in_flight
            raise TimeoutError(
                f"{self._settings.address}: {limit} calls were in flight for {seconds:g} seconds"
            ) from None

    def _take_push(self, push: Push) -> None:
        if self._settings.on_push is None:
            self._pushes.put(push)
            return
        try:
            self._settings.on_push(push)
        except Exception:
            logger.exception("on_push of the client of %s has failed", self._settings.address)
