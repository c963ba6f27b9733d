"""Keeps the asyncio client connected: what `Keeper` does with threads, with tasks."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

from commscaffoldd.client.async_handshake import call_on_connect, within
from commscaffoldd.client.async_link import AsyncLink
from commscaffoldd.client.backoff import Backoff, Reconnect
from commscaffoldd.client.connecting import why_not
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed
from commscaffoldd.client.keeper import GOOD_AFTER
from commscaffoldd.client.on_connect import failed, is_final, log_mistake, not_the_client
from commscaffoldd.client.settings import Settings, State, StateChange

logger: Final = logging.getLogger("commscaffoldd.client")


class AsyncKeeper:
    """See the module's text. For one event loop."""

    def __init__(self, settings: Settings, on_push: Callable[[Push], object]) -> None:
        self._settings = settings
        self._reconnect = settings.reconnect
        self._on_push = on_push
        self._context: ssl.SSLContext | None = None
        self._changed = asyncio.Event()  # set and replaced at each change
        self._usable: tuple[AsyncLink, ...] = ()
        self._places: dict[int, AsyncLink | None] = dict.fromkeys(range(settings.connections))
        self._backoffs = {place: Backoff(settings.reconnect or Reconnect()) for place in self._places}
        self._links: set[AsyncLink] = set()  # those that are leaving, too
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self._closed = False
        self._why = "not connected yet"

    async def start(self) -> None:
        """Connect all.

        Raises:
            OSError: it cannot be reached.
            ClientError: it has been told to before, or to close.
            Exception: what `on_connect` raises.
        """
        if self._started or self._closed:
            raise ClientError(f"{self._settings.address}: a client connects once, and not after it has been closed")
        self._started = True
        self._context = self._settings.tls_context()
        links: list[AsyncLink] = []
        try:
            for place in self._places:
                link = await self._open(place)
                links.append(link)  # those before one that fails must be closed
                if self._settings.on_connect is not None:
                    await call_on_connect(self._settings, link)
                if self._closed:
                    raise ConnectionClosed(f"{self._settings.address}: this client is closed")
        except BaseException:
            self._started = False  # it may be tried again
            for link in links:
                link.end(ConnectionClosed("another connection could not be had"))
            raise
        for place, link in enumerate(links):
            self._adopt(place, link)
            self._offer(place, link)
            self._begin(place, link)

    def check_task(self) -> None:
        """Raises ClientError within an `on_connect`, for whose end a link would be waited."""
        if self._settings.on_connect is not None and within(self._settings):
            raise not_the_client(self._settings)

    def link(self) -> AsyncLink | None:
        """The link with the fewest calls in flight that can be written to; `None`: wait for one."""
        usable = self._usable
        if len(usable) == 1:
            return usable[0] if usable[0].writable else None
        writable = [link for link in usable if link.writable]
        return min(writable, key=lambda link: link.in_flight, default=None)

    async def wait_for_link(self, deadline: float) -> AsyncLink:
        """The same, waiting. Raises TimeoutError (deadline of `loop.time`), ConnectionClosed: there will be none."""
        address = self._settings.address
        try:
            async with asyncio.timeout_at(deadline):
                while (link := self.link()) is None:
                    if self._closed:
                        raise ConnectionClosed(f"{address}: this client is closed")
                    ended = not self._places or (self._reconnect is None and self._tasks)
                    if ended and not self._usable:  # else they are all full
                        raise ConnectionClosed(self._why if str(address) in self._why else f"{address}: {self._why}")
                    await self._changed.wait()
        except TimeoutError:
            text = (
                "the message was not taken in time" if self._usable else f"not connected in time; last: {self._why}"
            )
            raise TimeoutError(f"{address}: {text}") from None
        return link

    def retire(self, link: AsyncLink) -> None:
        """This one takes no more calls."""
        self._usable = tuple(one for one in self._usable if one is not link)

    async def close(self) -> None:
        """End all links and their tasks."""
        if self._closed:
            return
        self._closed = True
        self._usable = ()
        self._change()
        for link in list(self._links):
            link.end(ConnectionClosed(f"{self._settings.address}: this client is closed"))
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        # Not `gather`: if this is cancelled, that cancels what it waits for, and the links' ends are not only ours.
        waiting: list[asyncio.Future[Any]] = [*tasks, *(link.ended for link in self._links)]
        if waiting:
            await asyncio.wait(waiting)
        for place in self._places:
            self._tell("closed", place)

    # -- the tasks -----------------------------------------------------------------------------------------

    def _begin(self, place: int, link: AsyncLink | None) -> None:
        task = asyncio.get_running_loop().create_task(self._keep(place, link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, place: int, link: AsyncLink | None) -> None:
        failure: BaseException | None = None
        while True:
            if link is None:
                link = await self._connect(place)
                if link is None:
                    return
                if self._settings.on_connect is None:
                    link.prove(lambda proved: self._offer(place, proved))
                else:
                    failure = await self._prepare(place, link)
            ended = await asyncio.shield(link.ended)
            if not self._drop(place, link, ended):
                return
            if failure is not None:
                log_mistake(self._settings, failure)
                self._why = str(failed(self._settings, failure))
                if is_final(failure):
                    self._give_up(place)
                    return
            self._tell("lost", place, self._why)
            link = failure = None

    async def _connect(self, place: int) -> AsyncLink | None:
        """A new link, adopted; `None` if there will be none."""
        while True:
            delay = self._backoffs[place].next() if self._reconnect is not None else None
            if delay is None:
                self._give_up(place)
                return None
            self._tell("waiting", place, self._why, delay)
            await asyncio.sleep(delay)
            try:
                link = await self._open(place)
            except OSError as error:
                self._why = f"cannot connect: {why_not(error)}"
                continue
            if link.ended.done():
                self._why = str(link.ended.result())
                continue
            self._adopt(place, link)
            return link

    async def _prepare(self, place: int, link: AsyncLink) -> BaseException | None:
        """Have `on_connect` called once there is somebody at the other end. Give why it has failed, if it has."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link.prove(lambda _: ready.set_result(None))
        await asyncio.wait((ready, link.ended), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            return None
        try:
            await call_on_connect(self._settings, link)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # this client is being closed; else it is the program's own
            link.end(failed(self._settings, error))
            return error
        self._offer(place, link)
        return None

    async def _open(self, place: int) -> AsyncLink:
        return await AsyncLink.open(
            self._settings,
            self._context,
            self._on_push,
            on_leaving=lambda link: self._replace(place, link),
            on_writable=self._change,
        )

    def _adopt(self, place: int, link: AsyncLink) -> None:
        self._places[place] = link
        self._links.add(link)

    def _offer(self, place: int, link: AsyncLink) -> None:
        """Calls may go there."""
        if not self._closed and link.usable:
            link.taken_at = time.monotonic()
            self._usable = (*self._usable, link)
            self._change()
            self._tell("connected", place)

    def _replace(self, place: int, link: AsyncLink) -> None:
        """The daemon said *go away* to this one."""
        self.retire(link)
        self._why = "the daemon said go away"
        self._tell("leaving", place, self._why)
        self._judge(place, link)
        if self._reconnect is not None and not self._closed and self._places.get(place) is link:
            self._places[place] = None
            self._begin(place, None)

    def _drop(self, place: int, link: AsyncLink, ended: ClientError) -> bool:
        """A link has ended. Give whether its task shall find another one for the place."""
        self.retire(link)
        self._links.discard(link)
        self._change()
        if self._closed or self._places.get(place) is not link:
            return False
        self._places[place] = None
        self._why = str(ended)
        self._judge(place, link)
        return True

    def _judge(self, place: int, link: AsyncLink) -> None:
        """See `Keeper._judge`."""
        if time.monotonic() - link.taken_at >= GOOD_AFTER:
            self._backoffs[place].reset()

    def _give_up(self, place: int) -> None:
        del self._places[place]
        self._change()
        self._tell("failed", place, self._why)

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _tell(self, state: State, place: int, reason: str = "", delay: float = 0.0) -> None:
        if self._settings.on_state is not None:
            try:
                self._settings.on_state(StateChange(state, place, reason, delay))
            except Exception:
                logger.exception("on_state of the client of %s has failed", self._settings.address)
