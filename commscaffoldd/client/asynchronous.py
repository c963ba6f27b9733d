"""The asyncio client: many tasks, one connection or several; each call gets its own reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self, TypeVar, Unpack

from commscaffoldd.client.async_caller import AsyncCaller
from commscaffoldd.client.async_keeper import AsyncKeeper
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.push_queue import AsyncPushQueue
from commscaffoldd.client.settings import AnyLayout, AsyncOptions, Settings, read_layout
from commscaffoldd.core.address import Address

T = TypeVar("T")
logger: Final = logging.getLogger("commscaffoldd.client")


class AsyncClient(AsyncCaller):
    """A client for the tasks of one event loop; an asynchronous context manager, which connects and closes it.

        async with AsyncClient("127.0.0.1:9000") as client:
            assert await client.call(1, b"hello") == b"hello"

    Its methods are those of `Client`, with the same meaning.
    """

    def __init__(
        self, address: Address | str, layout: AnyLayout = "standard", **options: Unpack[AsyncOptions]
    ) -> None:
        """Not connected yet: `connect`, or `async with`.

        Args:
            address: as for `Client`.
            layout: as for `Client`.
            options: as for `Client`.

        Raises:
            ValueError: not an address, not a layout, an option that cannot be.
        """
        where = Address.parse(address) if isinstance(address, str) else address
        settings = Settings(address=where, layout=read_layout(layout), **options)
        self._pushes = AsyncPushQueue(settings.push_queue)
        self._keeper = AsyncKeeper(settings, self._take_push)
        super().__init__(settings, self._keeper)

    async def connect(self) -> None:
        """Connect; once.

        Raises:
            OSError: it cannot be reached (TimeoutError, ssl.SSLError, ...).
            Exception: what `on_connect` raises; ErrorReply, say, for a login that is refused.
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

    def _take_push(self, push: Push) -> None:
        if self._settings.on_push is None:
            self._pushes.put(push)
            return
        try:
            self._settings.on_push(push)
        except Exception:
            logger.exception("on_push of the client of %s has failed", self._settings.address)
