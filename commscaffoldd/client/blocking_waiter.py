"""What a thread does while it waits for a reply, or for several."""

from __future__ import annotations

import queue
import threading
from typing import Final

from commscaffoldd.client.errors import ClientError, StreamOverrun
from commscaffoldd.client.waiter import Waiter

STREAM_QUEUE: Final = 1000
"""So many replies of one stream wait for the program; with one more the stream fails."""


class BlockingCall(Waiter):
    """A thread waits for one reply. A bare lock: an Event costs thrice as much."""

    __slots__ = ("_body", "_done", "_error")

    def __init__(self) -> None:
        super().__init__()
        self._body = b""
        self._error: ClientError | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def reply(self, body: bytes) -> bool:
        """See `Waiter`."""
        self._body = body
        self._done.release()
        return True

    def fail(self, error: ClientError) -> None:
        """See `Waiter`."""
        self._error = error
        self._done.release()

    def wait(self, seconds: float) -> bytes:
        """The reply. Raises TimeoutError, or what it has failed with."""
        if not self._done.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._body


class BlockingStream(Waiter):
    """A thread takes the replies to one request, one after another."""

    __slots__ = ("_replies",)

    def __init__(self) -> None:
        super().__init__()
        self._replies: queue.SimpleQueue[bytes | ClientError] = queue.SimpleQueue()

    def reply(self, body: bytes) -> bool:
        """See `Waiter`."""
        if self._replies.qsize() >= STREAM_QUEUE:
            self.fail(StreamOverrun(f"{STREAM_QUEUE} replies of this stream wait to be taken, and no more may"))
            return True
        self._replies.put(body)
        return False

    def fail(self, error: ClientError) -> None:
        """See `Waiter`."""
        self._replies.put(error)

    def next(self, seconds: float) -> bytes:
        """The next reply. Raises TimeoutError, or what the stream has failed with."""
        try:
            reply = self._replies.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(reply, ClientError):
            raise reply
        return reply
