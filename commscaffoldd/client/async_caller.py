"""Calls, messages and streams of tasks, on whatever has a link for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeVar, Unpack, overload

from commscaffoldd.client.async_link import AsyncLink
from commscaffoldd.client.async_waiter import AsyncCall, AsyncStream
from commscaffoldd.client.errors import ConnectionClosed, NotHandled
from commscaffoldd.client.settings import CallOptions, Settings, StreamOptions
from commscaffoldd.client.typed import Typing
from commscaffoldd.codecs import Format

T = TypeVar("T")


class AsyncLinks(Protocol):
    """Where a link is had from."""

    def check_task(self) -> None:
        """Raises ClientError in a task that must not wait for a link."""

    def link(self) -> AsyncLink | None:
        """A link that can be written to; `None`: wait for one."""

    async def wait_for_link(self, deadline: float) -> AsyncLink:
        """The same, waiting. Raises TimeoutError (deadline of `loop.time`), ConnectionClosed."""

    def retire(self, link: AsyncLink) -> None:
        """This one takes no more calls."""


class AsyncCaller:
    """What sends messages and gets replies: an `AsyncClient`, or what `on_connect` is given."""

    def __init__(self, settings: Settings, links: AsyncLinks) -> None:
        """For the client library's own use."""
        self._settings = settings
        self._links = links
        self._typing = Typing(str(settings.address))
        self._slots = asyncio.Semaphore(settings.most_in_flight)

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
        self._links.check_task()
        data = self._typing.encode(body, format)
        deadline = asyncio.get_running_loop().time() + self._settings.seconds(timeout)
        while True:
            link = self._links.link() or await self._links.wait_for_link(deadline)
            try:
                link.send(message_id, data)
            except NotHandled:
                if self._settings.reconnect is None:
                    raise
                self._links.retire(link)
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
        self._settings.check_streams()
        seconds = self._settings.seconds(timeout)
        decode = self._typing.decoder(message_id, reply, format)
        return self._stream(message_id, self._typing.encode(body, format), decode, count, until, quiet, seconds)

    async def _call(self, message_id: int, body: bytes, timeout: float | None, *, retry: bool) -> bytes:  # noqa: ASYNC109
        seconds = self._settings.seconds(timeout)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await self._take_slot(deadline, seconds)
        try:
            while True:
                link = self._links.link() or await self._links.wait_for_link(deadline)
                waiter = AsyncCall(loop)
                timer = loop.call_at(deadline, waiter.expire)
                try:
                    link.call(waiter, message_id, body)
                    return await waiter.future
                except NotHandled:
                    if self._settings.reconnect is None:
                        raise
                    self._links.retire(link)
                except ConnectionClosed:
                    if not retry:
                        raise
                    self._links.retire(link)
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
                link = self._links.link() or await self._links.wait_for_link(deadline)
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
                    self._links.retire(link)
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
        self._links.check_task()
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
