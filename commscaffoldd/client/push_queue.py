"""Pushes that wait until the program takes them. Bounded: of more than it holds, the oldest is dropped and counted.

To stop reading instead would hold up replies, and in the end the daemon, which closes a client that does not read.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import time

from commscaffoldd.client.conversation import Push


class PushQueue:
    """For threads.

    Attributes:
        dropped: pushes that were not taken in time.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._pushes: collections.deque[Push] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, push: Push) -> None:
        """Keep a push until it is taken."""
        with self._changed:
            if len(self._pushes) >= self._limit:
                self._pushes.popleft()
                self.dropped += 1
            self._pushes.append(push)
            self._changed.notify()

    def get(self, timeout: float | None) -> Push | None:
        """The next push; `None`: there will be none. Raises TimeoutError: none within so many seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._pushes:
                if self._closed:
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"no push within {timeout:g} seconds")
                self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            return self._pushes.popleft()

    def close(self) -> None:
        """There will be no more; those that wait can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class AsyncPushQueue:
    """For one event loop.

    Attributes:
        dropped: pushes that were not taken in time.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._pushes: collections.deque[Push] = collections.deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, push: Push) -> None:
        """Keep a push until it is taken."""
        if len(self._pushes) >= self._limit:
            self._pushes.popleft()
            self.dropped += 1
        self._pushes.append(push)
        self._changed.set()

    async def get(self) -> Push | None:
        """The next push; `None`: there will be none."""
        while not self._pushes:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._pushes.popleft()

    def close(self) -> None:
        """There will be no more; those that wait can be taken."""
        self._closed = True
        self._changed.set()
