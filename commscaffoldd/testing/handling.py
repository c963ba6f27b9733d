"""Runs handlers on the calling thread, in the order of each connection, by the daemon's own code."""

from __future__ import annotations

import threading
from typing import Final

from commscaffoldd.client import ConnectionClosed
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferrals, Deferred
from commscaffoldd.core.endpoint import TIMED_OUT, decode_error
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.running import Running
from commscaffoldd.core.settings import QuarantineSettings
from commscaffoldd.core.slot import Reply
from commscaffoldd.testing.bodies import Bodies
from commscaffoldd.testing.clock import FakeClock
from commscaffoldd.testing.connection import FakeConnection
from commscaffoldd.testing.exchange import Exchange

CONCURRENT: Final = ("concurrent", "async concurrent")
"""Modes whose messages wait for no other."""


class _Message(Request):
    """A request that knows what comes of it."""

    exchange: Exchange | None = None


class _Failures(FailureLog):
    """Takes what handlers raise to the exchange, instead of to the log."""

    def report(self, request: Request, error: BaseException) -> None:
        assert isinstance(request, _Message)
        assert request.exchange is not None
        request.exchange.failure = error


class Handling:
    """One worker's. Any thread may call."""

    def __init__(self, bodies: Bodies, clock: FakeClock, timeout: float) -> None:
        """Nothing runs yet.

        Args:
            bodies: decodes the replies.
            clock: gives handlers up that have deferred their reply for too long.
            timeout: seconds, for handlers that have none of their own; 0: for ever.
        """
        self._bodies = bodies
        self._clock = clock
        self._timeout = timeout
        self._lock = threading.RLock()
        self._counters = Counters()
        self._runner = HandlerRunner(_Failures(), Quarantine(QuarantineSettings(enabled=False), {}, {}))
        self._deferrals = Deferrals(self._complete)

    def begin(self, connection: FakeConnection, route: Route, body: bytes) -> Exchange:
        """Let a message wait for its turn, and run what can be run now."""
        exchange = Exchange(route.id, connection)
        connection.defer_to(self._deferrals)
        with self._lock:
            sequence = len(connection.replied) + 1
            connection.replied[sequence] = lambda data: self._replied(exchange, data)
        message = _Message(connection, route.id, sequence, body, route, exchange=exchange)
        if route.mode in CONCURRENT:
            self._run(message)
        else:
            connection.pending.append(message)
            self._go_on(connection)
        return exchange

    def ending(self, connection: FakeConnection) -> None:
        """The connection has ended: its messages that wait are not handled any more."""
        self._deferrals.ending(connection)
        while connection.pending:
            self._drop(connection.pending.popleft())

    def _go_on(self, connection: FakeConnection) -> None:
        while True:
            with self._lock:
                if connection.current is not None or not connection.pending:
                    return
                message = connection.current = connection.pending.popleft()
            if connection.closing:
                self._drop(message)
            else:
                self._run(message)

    def _run(self, message: Request) -> None:
        connection = message.connection
        assert isinstance(connection, FakeConnection)
        reply = self._runner.run(message, connection.endpoint, self._counters, Running())
        deferred = message.deferred
        if deferred is None or not deferred.holds:
            self._settle(message, reply)
            return
        timeout = self._timeout if message.route.timeout is None else message.route.timeout
        if timeout:
            self._clock.at(self._clock.now + timeout, lambda: self._give_up(deferred, timeout))
        deferred.suspend()

    def _give_up(self, deferred: Deferred, timeout: float) -> None:
        if self._deferrals.give_up(deferred):
            self._deferrals.answer(deferred, Refusal(TIMED_OUT, f"the handler took longer than {timeout:g} s"))

    def _complete(self) -> None:
        """Something deferred has its answer."""
        with self._lock:
            done = self._deferrals.take()
        for deferred in done:
            message = deferred.request
            connection = message.connection
            assert isinstance(connection, FakeConnection)
            self._settle(message, self._runner.complete(deferred, connection.endpoint, self._counters))
            self._go_on(connection)

    def _settle(self, message: Request, reply: Reply | None) -> None:
        exchange, connection = _exchange(message), message.connection
        assert isinstance(connection, FakeConnection)
        with self._lock:
            if connection.current is message:
                connection.current = None
        if reply is not None and reply[0] != connection.endpoint.error_id:
            self._replied(exchange, reply[2])
        if reply is None or reply[0] != connection.endpoint.error_id or exchange.failure is not None:
            exchange.end()
        else:
            _, code, text = decode_error(reply[2])
            exchange.refuse(code, text)

    def _replied(self, exchange: Exchange, body: bytes) -> None:
        exchange.bodies.append(body)
        exchange.replies.append(self._bodies.decode(exchange.id, body))

    def _drop(self, message: Request) -> None:
        _exchange(message).failure = ConnectionClosed("the connection was closed before this message was handled")
        self._settle(message, None)


def _exchange(message: Request) -> Exchange:
    assert isinstance(message, _Message)
    assert message.exchange is not None
    return message.exchange
