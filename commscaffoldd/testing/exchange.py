"""One message and what comes of it: its replies, an error, or nothing yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from commscaffoldd.client import ConnectionClosed, ErrorReply
from commscaffoldd.testing.connection import FakeConnection
from commscaffoldd.worker.socketless.handling import Message


class Exchange:
    """A message that a plugin has been given, and what it has answered until now. Any thread.

    Attributes:
        id: the message ID.
        connection: whom the message came from.
        bodies: the replies' bodies in order; with a stream, or `request.reply`, there may be several.
        replies: the same, decoded as the handler's annotation says.
        error: the error reply, if the message was refused or given up.
        failure: what the handler raised, if it failed.
        done: whether no more comes. Not, while a reply is deferred.
    """

    def __init__(
        self, message_id: int, connection: FakeConnection, decode: Callable[[bytes], object] = lambda body: body
    ) -> None:
        """Nothing has come yet; `decode` makes `replies` of `bodies`."""
        self.id = message_id
        self.connection = connection
        self.bodies: list[bytes] = []
        self.replies: list[Any] = []
        self.error: ErrorReply | None = None
        self.failure: BaseException | None = None
        self.done = False
        self._decode = decode
        self._ended = threading.Condition()

    def __repr__(self) -> str:
        """What there is."""
        state = "done" if self.done else "waiting"
        return f"<Exchange {self.id} {state}: replies={self.replies!r} error={self.error!r} failure={self.failure!r}>"

    def wait(self, timeout: float = 5.0) -> Exchange:
        """Wait until it is done; gives itself.

        Raises:
            TimeoutError: it is not, after so many seconds.
        """
        with self._ended:
            if not self._ended.wait_for(lambda: self.done, timeout):
                raise TimeoutError(f"message ID {self.id} has no reply after {timeout:g} seconds: {self!r}")
        return self

    def result(self, timeout: float = 5.0) -> Any:  # noqa: ANN401  # whatever the handler's reply type is
        """Wait, and give the reply: the last one, `None` if there is none.

        Raises:
            ErrorReply: the message was refused.
            Exception: the handler failed; this is what it raised.
            TimeoutError: it is not done after so many seconds.
        """
        self.wait(timeout)
        if self.failure is not None:
            raise self.failure
        if self.error is not None:
            raise self.error
        return self.replies[-1] if self.replies else None

    # -- who answers: an `Outcome` -------------------------------------------------------------------------

    def begun(self, message: Message) -> None:
        """Its handler is called now."""

    def replied(self, body: bytes) -> bool:
        """A reply."""
        self.bodies.append(body)
        self.replies.append(self._decode(body))
        return True

    def refused(self, code: int, text: str) -> None:
        """An error reply."""
        if self.connection.has_errors:
            self.error = ErrorReply(code, text, self.id)

    def failed(self, error: BaseException) -> None:
        """The handler has raised this."""
        self.failure = error

    def dropped(self) -> None:
        """It has not had its turn."""
        self.failure = ConnectionClosed("the connection was closed before this message was handled")

    def ended(self) -> None:
        """Nothing more comes."""
        with self._ended:
            self.done = True
            self._ended.notify_all()
