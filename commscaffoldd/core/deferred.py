"""Deferred replies: messages whose handler has returned, and whose answer comes later.

A handler that defers gives its thread back; its message still counts as running: the connection's later messages wait
for it (unless the handler is concurrent), its timeout goes on, and a connection does not move or drain without it.

    handler: request.defer() ──► returns ──────────► suspended ──┐
    any thread: reply(), refuse(), fail() ──► settled ───────────┴─► the reactor answers, and the connection goes on

Either may come first; who comes second hands it to the reactor: so it happens once, and never beside the handler.
"""

from __future__ import annotations

import logging
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


logger = logging.getLogger(__name__)

CANCELLED: Final = object()
"""What is settled with this has no answer, and it says nothing about the handler."""


class Deferred:
    """A message that is answered later, by exactly one of `reply`, `refuse` and `fail`; each from any thread.

    Attributes:
        request: the message.
        encode: makes bytes of what `reply` is given; `None`: it is bytes. For the binding of typed handlers.
        cancel: called, by any thread, when nobody waits for the answer any more: it came too late, or the
            connection has gone and `cancel_on_close` is set. For who works on it.
        wake_later: given what wakes the reactor, instead of that being called at once: for who answers many.
        where: tells, as lines of a stack, what it waits for. For who works on it.
        cancel_on_close: whether it is settled without an answer when the connection ends, or begins to: its client
            sends no more, a plugin has closed it, the worker stops. To be set while the handler runs.
        plain: what it was settled with, encoded; `None` also if it has failed, see `outcome`.
        kept: an `async def` handler, which is deferred by nature, has asked for it: its returning is no answer.
    """

    __slots__ = (
        "_abandoned",
        "_deferrals",
        "_error",
        "_settled",
        "_suspended",
        "cancel",
        "cancel_on_close",
        "encode",
        "kept",
        "plain",
        "request",
        "since",
        "wake_later",
        "where",
    )

    def __init__(self, request: Request, deferrals: Deferrals) -> None:
        self.request = request
        self.since = time.monotonic()
        self.encode: Callable[[object], object] | None = None
        self.cancel: Callable[[], object] | None = None
        self.where: Callable[[], str] | None = None
        self.cancel_on_close = False
        self.wake_later: Callable[[Callable[[], None]], None] | None = None
        self.kept = False
        self._abandoned = False
        self._deferrals = deferrals
        self.plain: object = None
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

        It is encoded by this call, or when the handler returns, should that still run: do not change it until then.

        Returns:
            Whether this is the answer; `False` if there has been one, the handler's timeout among them.
        """
        return self._deferrals.settle(self, bytes(body) if isinstance(body, bytearray | memoryview) else body)

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

    def finish(self) -> None:
        """Encode what it was settled with: plugin code, which the reactor shall not run. Who hands it over."""
        result = self.plain
        if self.encode is None or result is None or type(result) is Refusal or result is CANCELLED:
            return
        try:
            self.plain = self.encode(result)
        except BaseException as error:  # noqa: BLE001  # a plugin must not end a thread of ours
            self.plain, self._error = None, error

    def outcome(self) -> object:
        """What it was settled with, encoded; raises what it failed with. Once it has been handed over."""
        if self._error is not None:
            raise self._error
        return self.plain

    def withdraw(self) -> None:
        """It should not have been made: if somebody waits for it, there is no answer."""
        self._deferrals.settle(self, CANCELLED)

    def tell_cancelled(self) -> None:
        """Call `cancel`. Any thread."""
        cancel = self.cancel  # another thread may take it away
        if cancel is None:
            return
        try:
            cancel()
        except BaseException:  # a plugin must not end a thread of ours
            logger.exception(f"{self._whose()}: its Deferred.cancel failed")

    def location(self) -> str:
        """What `where` tells; empty if there is none. Any thread."""
        where = self.where
        if where is None:
            return ""
        try:
            return where()
        except BaseException as error:  # noqa: BLE001  # as above
            return f"(unknown: Deferred.where failed: {error!r})"

    def _whose(self) -> str:
        route = self.request.route
        return f"handler {route.name} of plugin {route.plugin}, message ID {self.request.id}"


def too_late_to_defer(message_id: int) -> RuntimeError:
    """For `Request.defer` once the handler has returned: it has been answered."""
    return RuntimeError(
        f"request.defer() for message ID {message_id}, whose handler has returned: call it in the handler, and "
        "answer later by what it gives"
    )


class Deferrals:
    """The deferred messages of a worker.

    Attributes:
        counters: what came too late.
        done: those that are to be answered now, for the reactor: it looks here in each of its turns.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """None yet; `wake` lets the reactor look at `take`, from any thread."""
        self.counters = Counters()
        self._wake = wake
        self._lock = threading.Lock()
        self._suspended: dict[Deferred, None] = {}
        self._of_connection: dict[Connection, set[Deferred]] = {}  # those that end with it
        self.done: deque[Deferred] = deque()

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
            had_answer, deferred._settled = deferred._settled, True  # noqa: SLF001
        if not had_answer:
            deferred.tell_cancelled()

    # -- any thread ----------------------------------------------------------------------------------------

    def settle(self, deferred: Deferred, result: object = None, error: BaseException | None = None) -> bool:
        """Give the answer. Returns whether this is it."""
        with self._lock:
            if deferred._settled:  # noqa: SLF001
                self.counters.late_replies += deferred.request.given_up and result is not None
                return False
            deferred._settled = True  # noqa: SLF001
            deferred.plain, deferred._error = result, error  # noqa: SLF001
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
            deferred._settled = deferred.request.given_up = True  # noqa: SLF001
            self._forget(deferred)
            return True

    def answer(self, deferred: Deferred, refusal: Refusal) -> None:
        """Answer one that has been given up."""
        deferred.plain = refusal
        self._hand_over(deferred)
        deferred.tell_cancelled()

    def cancel(self, deferred: Deferred) -> None:
        """Nobody is there who could have an answer."""
        if self.settle(deferred, CANCELLED):
            deferred.tell_cancelled()

    def suspended(self) -> list[Deferred]:
        """Those whose handler has returned, and that have no answer yet."""
        with self._lock:
            return list(self._suspended)

    # -- the reactor's thread ------------------------------------------------------------------------------

    def take(self) -> list[Deferred]:
        """Those that are to be answered now."""
        return [self.done.popleft() for _ in range(len(self.done))]

    def ending(self, connection: Connection) -> None:
        """A connection has ended, or is ending: its client sends no more, or it is being closed."""
        for deferred in list(self._of_connection.get(connection, ())):
            self.cancel(deferred)

    # ------------------------------------------------------------------------------------------------------

    def _forget(self, deferred: Deferred) -> None:
        del self._suspended[deferred]
        if not self._of_connection:
            return
        connection = deferred.request.connection
        others = self._of_connection.get(connection)
        if others is not None:
            others.discard(deferred)
            if not others:
                del self._of_connection[connection]

    def _hand_over(self, deferred: Deferred) -> None:
        if deferred.encode is not None:
            deferred.finish()
        self.done.append(deferred)
        if deferred.wake_later is None:
            self._wake()
        else:
            deferred.wake_later(self._wake)
