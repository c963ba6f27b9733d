"""Deferred replies: messages whose handler has returned, and whose answer comes later.

A handler that defers gives its thread back; its message still counts as running: the connection's later messages wait
for it (unless the handler is concurrent), its timeout goes on, and a connection does not move or drain without it.

    handler: request.defer() ──► returns ──────────► suspended ──┐
    any thread: reply(), refuse(), fail() ──► settled ───────────┴─► the reactor answers, and the connection goes on

Either may come first; who comes second hands it to the reactor: so it happens once, and never beside the handler.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import REFUSED
from commscaffoldd.core.refusal import Refusal, Refuse

if TYPE_CHECKING:
    from commscaffoldd.core.connection import Connection
    from commscaffoldd.core.request import Request


CANCELLED: Final = object()
"""What is settled with this has no answer, and it says nothing about the handler."""


class Deferred:
    """A message that is answered later, by exactly one of `reply`, `refuse` and `fail`; each from any thread.

    Attributes:
        request: the message.
        encode: makes bytes of what `reply` is given; `None`: it is bytes. For the binding of typed handlers.
        cancel: called, by any thread, when nobody waits for the answer any more: it came too late, or the
            connection has gone and `cancel_on_close` is set. For who works on it.
        where: tells, as lines of a stack, what it waits for. For who works on it.
        cancel_on_close: whether it is settled without an answer when the connection ends, or begins to: its client
            sends no more, a plugin has closed it, the worker stops.
    """

    __slots__ = (
        "_abandoned",
        "_deferrals",
        "_error",
        "_result",
        "_settled",
        "_suspended",
        "cancel",
        "cancel_on_close",
        "encode",
        "given_up",
        "request",
        "since",
        "where",
    )

    def __init__(self, request: Request, deferrals: Deferrals) -> None:
        self.request = request
        self.since = time.monotonic()
        self.encode: Callable[[object], object] | None = None
        self.cancel: Callable[[], object] | None = None
        self.where: Callable[[], str] | None = None
        self.cancel_on_close = False
        self.given_up = False
        self._abandoned = False
        self._deferrals = deferrals
        self._result: object = None
        self._error: BaseException | None = None
        self._settled = False
        self._suspended = False

    def __repr__(self) -> str:
        """ID and connection, for logs."""
        state = "settled" if self._settled else "open"
        return f"<Deferred message ID {self.request.id} of {self.request.connection.id}, {state}>"

    @property
    def settled(self) -> bool:
        """Whether the answer has been given, or is not wanted any more."""
        return self._settled

    def reply(self, body: object = None) -> bool:
        """Answer: bytes, or what a typed handler returns; `None` for no reply at all.

        Returns:
            Whether this is the answer; `False` if there has been one, the handler's timeout among them.
        """
        return self._deferrals.settle(self, body)

    def refuse(self, code: int = REFUSED, text: str = "refused") -> bool:
        """Answer with an error reply, as `raise Refuse(code, text)` does in a handler. Returns as `reply`.

        Raises:
            TypeError, ValueError: as `Refuse`.
        """
        return self._deferrals.settle(self, error=Refuse(code, text))

    def fail(self, error: BaseException) -> bool:
        """Answer as if the handler had raised this. Returns as `reply`."""
        return self._deferrals.settle(self, error=error)

    # -- for the path --------------------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Whether the message is to be suspended; not if the handler has failed after it had deferred. Its thread."""
        return not self._abandoned

    def suspend(self) -> None:
        """The handler has returned; what its thread has to do with the message is done. Its thread, once."""
        self._deferrals.suspend(self)

    def abandon(self) -> None:
        """The handler has been answered for in another way: nothing comes of this. Its thread, before it suspends."""
        self._abandoned = True
        self._deferrals.abandon(self)

    def outcome(self) -> object:
        """What it was settled with, encoded; raises what it failed with. Once it is settled."""
        if self._error is not None:
            raise self._error
        if self.encode is None or self._result is None or type(self._result) is Refusal or self._result is CANCELLED:
            return self._result
        return self.encode(self._result)


class Deferrals:
    """The deferred messages of a worker.

    Attributes:
        counters: what came too late.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """None yet; `wake` lets the reactor look at `take`, from any thread."""
        self.counters = Counters()
        self._wake = wake
        self._lock = threading.Lock()
        self._suspended: dict[Deferred, None] = {}
        self._of_connection: dict[Connection, set[Deferred]] = {}  # those that end with it
        self._done: deque[Deferred] = deque()

    # -- the handler's thread ------------------------------------------------------------------------------

    def suspend(self, deferred: Deferred) -> None:
        """See `Deferred.suspend`."""
        with self._lock:
            deferred._suspended = True  # noqa: SLF001  # the two are one thing
            done = deferred._settled  # noqa: SLF001
            if not done:
                self._suspended[deferred] = None
                if deferred.cancel_on_close:
                    self._of_connection.setdefault(deferred.request.connection, set()).add(deferred)
        if done:
            self._hand_over(deferred)
        elif deferred.cancel_on_close and deferred.request.connection.ending:
            self.cancel(deferred)  # that was before this could be seen

    def abandon(self, deferred: Deferred) -> None:
        """See `Deferred.abandon`."""
        with self._lock:
            deferred._settled = True  # noqa: SLF001
        if deferred.cancel is not None:
            deferred.cancel()

    # -- any thread ----------------------------------------------------------------------------------------

    def settle(self, deferred: Deferred, result: object = None, error: BaseException | None = None) -> bool:
        """Give the answer. Returns whether this is it."""
        with self._lock:
            if deferred._settled:  # noqa: SLF001
                self.counters.late_replies += deferred.given_up and result is not None
                return False
            deferred._settled = True  # noqa: SLF001
            deferred._result, deferred._error = result, error  # noqa: SLF001
            done = deferred._suspended  # noqa: SLF001
            if done:
                self._forget(deferred)
        if done:
            self._hand_over(deferred)
        return True

    def give_up(self, deferred: Deferred) -> bool:
        """Decide that it took too long: no answer counts any more but that of `answer`, which must follow.

        Returns:
            Whether this is the decision; `False` if there has been an answer.
        """
        with self._lock:
            if deferred._settled or not deferred._suspended:  # noqa: SLF001
                return False
            deferred._settled = deferred.given_up = True  # noqa: SLF001
            self._forget(deferred)
            return True

    def answer(self, deferred: Deferred, refusal: Refusal) -> None:
        """Answer one that has been given up."""
        deferred._result = refusal  # noqa: SLF001
        self._hand_over(deferred)
        if deferred.cancel is not None:
            deferred.cancel()

    def cancel(self, deferred: Deferred) -> None:
        """Nobody is there who could have an answer."""
        if self.settle(deferred, CANCELLED) and deferred.cancel is not None:
            deferred.cancel()

    def suspended(self) -> list[Deferred]:
        """Those whose handler has returned, and that have no answer yet."""
        with self._lock:
            return list(self._suspended)

    # -- the reactor's thread ------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._done)

    def take(self) -> list[Deferred]:
        """Those that are to be answered now."""
        return [self._done.popleft() for _ in range(len(self._done))]

    def ending(self, connection: Connection) -> None:
        """A connection has ended, or is ending: its client sends no more, or it is being closed."""
        for deferred in list(self._of_connection.get(connection, ())):
            self.cancel(deferred)

    # ------------------------------------------------------------------------------------------------------

    def _forget(self, deferred: Deferred) -> None:
        del self._suspended[deferred]
        connection = deferred.request.connection
        others = self._of_connection.get(connection)
        if others is not None:
            others.discard(deferred)
            if not others:
                del self._of_connection[connection]

    def _hand_over(self, deferred: Deferred) -> None:
        self._done.append(deferred)
        self._wake()
