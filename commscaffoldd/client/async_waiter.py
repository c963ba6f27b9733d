"""What a task does while it waits for a reply, or for several."""

from __future__ import annotations

import asyncio

from commscaffoldd.client.blocking_waiter import STREAM_QUEUE
from commscaffoldd.client.errors import ClientError, StreamOverrun
from commscaffoldd.client.waiter import Waiter


class AsyncCall(Waiter):
    """A task waits for one reply.

    Attributes:
        future: gives the reply.
    """

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.future: asyncio.Future[bytes] = loop.create_future()

    def reply(self, body: bytes) -> bool:
        """See `Waiter`."""
        if not self.future.done():
            self.future.set_result(body)
        return True

    def fail(self, error: ClientError) -> None:
        """See `Waiter`."""
        if not self.future.done():
            self.future.set_exception(error)

    def expire(self) -> None:
        """The time is over."""
        if not self.future.done():
            self.future.set_exception(TimeoutError())


class AsyncStream(Waiter):
    """A task takes the replies to one request, one after another."""

    __slots__ = ("_replies",)

    def __init__(self) -> None:
        super().__init__()
        self._replies: asyncio.Queue[bytes | ClientError] = asyncio.Queue()

    def reply(self, body: bytes) -> bool:
        """See `Waiter`."""
        if self._replies.qsize() >= STREAM_QUEUE:
            self.fail(StreamOverrun(f"{STREAM_QUEUE} replies of this stream wait to be taken, and no more may"))
            return True
        self._replies.put_nowait(body)
        return False

    def fail(self, error: ClientError) -> None:
        """See `Waiter`."""
        self._replies.put_nowait(error)

    async def next(self, seconds: float) -> bytes:
        """The next reply. Raises TimeoutError, or what the stream has failed with."""
        if self._replies.empty():
            async with asyncio.timeout(seconds):
                reply = await self._replies.get()
        else:
            reply = self._replies.get_nowait()
        if isinstance(reply, ClientError):
            raise reply
        return reply
