"""Runs handlers on the calling thread, in the order of each connection, by the daemon's own code."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferrals, Deferred
from commscaffoldd.core.endpoint import TIMED_OUT
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.running import Running
from commscaffoldd.core.settings import QuarantineSettings
from commscaffoldd.core.slot import Reply
from commscaffoldd.worker.socketless.clock import ManualClock
from commscaffoldd.worker.socketless.connection import ERROR, SocketlessConnection


class Outcome(Protocol):
    """Is told what comes of one message, by any thread. `ended` is the last call, and there is always one."""

    def begun(self, message: Message) -> None:
        """It has its turn: its handler is called now."""

    def replied(self, body: bytes) -> bool:
        """A reply; there may be several.

        Returns:
            Whether the client still wants to have more.
        """

    def refused(self, code: int, text: str) -> None:
        """It is answered with an error reply that is not the handler's failure."""

    def failed(self, error: BaseException) -> None:
        """The handler has raised this, or has returned what cannot be sent."""

    def dropped(self) -> None:
        """Its connection was closed before it had its turn."""

    def ended(self) -> None:
        """Nothing more comes."""


class Message(Request, kw_only=True):
    """A request that knows who is told what comes of it."""

    source: SocketlessConnection
    outcome: Outcome
    failed: bool = False

    def reply(self, body: bytes) -> bool:
        """See `Request.reply`."""
        data = self.source.accepts(self.id, body)
        return data is not None and self.outcome.replied(data)


class _Failures(FailureLog):
    """Tells of what handlers raise, instead of logging it."""

    def report(self, request: Request, error: BaseException) -> None:
        assert isinstance(request, Message), "there are no others"
        request.failed = True
        request.outcome.failed(error)


class Handling:
    """What a worker's path is to a worker. Any thread may call.

    Attributes:
        counters: what the daemon would count.
    """

    def __init__(self, clock: ManualClock, timeout: float, wake: Callable[[], None] | None = None) -> None:
        """Nothing runs yet.

        Args:
            clock: gives up what has been deferred for too long.
            timeout: seconds, for handlers that have none of their own; 0: for ever.
            wake: called by any thread, to have `complete` called; by default it is called there and then.
        """
        self.counters: Final = Counters()
        self._clock = clock
        self._timeout = timeout
        self._lock = threading.RLock()
        self._runner = HandlerRunner(_Failures(), Quarantine(QuarantineSettings(enabled=False), {}, {}))
        self._deferrals = Deferrals(wake or self.complete)

    def timeout_of(self, route: Route) -> float:
        """Seconds that this handler has; 0: for ever."""
        return self._timeout if route.timeout is None else route.timeout

    def begin(
        self, connection: SocketlessConnection, route: Route, sequence: int, body: bytes, outcome: Outcome
    ) -> None:
        """Let a message wait for its turn, and run what can be run now."""
        connection.defer_to(self._deferrals)
        message = Message(connection, route.id, sequence, body, route, source=connection, outcome=outcome)
        if route.place == "concurrent":
            self._run(message)
        else:
            connection.pending.append(message)
            self._go_on(connection)

    def complete(self) -> None:
        """Answer what was deferred and has been settled, and go on with what waited for it."""
        with self._lock:
            done = self._deferrals.take()
        for deferred in done:
            message = deferred.request
            assert isinstance(message, Message), "there are no others"
            self._settle(message, self._runner.complete(deferred, message.source.endpoint, self.counters))
            self._go_on(message.source)

    def ending(self, connection: SocketlessConnection) -> None:
        """The connection has ended: its messages that wait are not handled any more."""
        self._deferrals.ending(connection)
        while connection.pending:
            self._drop(connection.pending.popleft())

    def _go_on(self, connection: SocketlessConnection) -> None:
        while True:
            with self._lock:
                if connection.current is not None or not connection.pending:
                    return
                message = connection.current = connection.pending.popleft()
            if connection.closing:
                self._drop(message)
            else:
                self._run(message)

    def _run(self, message: Message) -> None:
        message.outcome.begun(message)
        reply = self._runner.run(message, message.source.endpoint, self.counters, Running())
        deferred = message.deferred
        if deferred is None or not deferred.holds:
            self._settle(message, reply)
            return
        timeout = self.timeout_of(message.route)
        if timeout:
            self._clock.at(self._clock.now + timeout, lambda: self._give_up(deferred, timeout))
        deferred.suspend()

    def _give_up(self, deferred: Deferred, timeout: float) -> None:
        if self._deferrals.give_up(deferred):
            self._deferrals.answer(deferred, Refusal(TIMED_OUT, f"the handler took longer than {timeout:g} s"))

    def _settle(self, message: Message, reply: Reply | None) -> None:
        with self._lock:
            if message.source.current is message:
                message.source.current = None
        if reply is not None and reply[0] != ERROR:
            message.outcome.replied(reply[2])
        elif reply is not None and not message.failed:
            message.outcome.refused(reply[1], reply[2].decode())
        message.outcome.ended()

    def _drop(self, message: Message) -> None:
        message.outcome.dropped()
        self._settle(message, None)
