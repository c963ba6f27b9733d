"""What a program does first on each new connection of the asyncio client: `on_connect`, within a time."""

from __future__ import annotations

import asyncio
import inspect
from contextvars import ContextVar
from typing import Final

from commscaffoldd.client.async_caller import AsyncCaller
from commscaffoldd.client.async_link import AsyncLink
from commscaffoldd.client.on_connect import for_one_connection, over, too_slow
from commscaffoldd.client.settings import Settings


class OneAsyncLink:
    """The one link that `on_connect` calls on, as long as it goes on.

    Attributes:
        settings: the client's.
        over: it goes on no more.
    """

    def __init__(self, settings: Settings, link: AsyncLink) -> None:
        self.settings = settings
        self.over = False
        self._link = link

    def check_task(self) -> None:
        """See `AsyncLinks`."""

    def link(self) -> AsyncLink:
        """The link, writable or not: what is said here is short. Raises ClientError once `on_connect` is over."""
        if self.over:
            raise over(self.settings)
        return self._link

    async def wait_for_link(self, deadline: float) -> AsyncLink:  # noqa: ARG002  # it is there
        """See `link`."""
        return self.link()

    def retire(self, link: AsyncLink) -> None:
        """See `AsyncLinks`: there is no other."""


_WITHIN: Final[ContextVar[OneAsyncLink | None]] = ContextVar("commscaffoldd on_connect", default=None)
"""The `on_connect` that goes on here: tasks that it makes, such as those of `gather`, are within it, too."""


def within(settings: Settings) -> bool:
    """Whether this is called within an `on_connect` of the client with these very settings, which still goes on."""
    links = _WITHIN.get()
    return links is not None and links.settings is settings and not links.over


async def call_on_connect(settings: Settings, link: AsyncLink) -> None:
    """Call it. Raises what it raises; TimeoutError, too, if it takes too long."""
    assert settings.on_connect is not None, "it is asked before"
    links = OneAsyncLink(settings, link)
    token = _WITHIN.set(links)
    try:
        async with asyncio.timeout(settings.seconds_to_connect) as limit:
            result = settings.on_connect(AsyncCaller(for_one_connection(settings), links))
            if not inspect.isawaitable(result):
                raise TypeError("on_connect is no coroutine function, which AsyncClient needs")
            await result
    except TimeoutError:
        if limit.expired():
            raise too_slow(settings) from None
        raise
    finally:
        links.over = True
        _WITHIN.reset(token)
