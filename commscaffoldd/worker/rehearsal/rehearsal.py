"""Playing a capture through the handlers, in the order of its time.

All handlers but asynchronous ones run on the one thread that plays. What is answered later, by a deferred reply, a
stream or a coroutine, is waited for before whatever followed its answer when it was recorded, and not before that: so
what a client did upon an answer finds it given, and who waits for what another client does next gets it.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from commscaffoldd.capture.recording import RecordedConnection, Recording, Step
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.layout import HEARTBEAT_ID
from commscaffoldd.core.route import RouteTable
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.rehearsal.stage import stage
from commscaffoldd.worker.rehearsal.take import Take
from commscaffoldd.worker.rehearsal.then import Then
from commscaffoldd.worker.rehearsal.verdicts import Verdicts
from commscaffoldd.worker.socketless.clock import ManualClock
from commscaffoldd.worker.socketless.connection import SocketlessConnection
from commscaffoldd.worker.socketless.handling import Handling

GRACE: Final = 1.0
"""Seconds, of a whole rehearsal, spent on waiting in vain for what had no answer when it was recorded, either."""
_TURN: Final = 0.05  # seconds between two looks at the clock
_OVER: Final = "the rehearsal is over"


class Rehearsal:
    """One rehearsal. `play` is called once; errors are in `verdicts`, also while it plays."""

    def __init__(
        self,
        recording: Recording,
        host: PluginHost,
        routes: RouteTable,
        endpoints: Mapping[str, Endpoint],
        handler_timeout: float,
    ) -> None:
        """A rehearsal.

        Args:
            recording: what to play.
            host: the plugins; `worker_started` must have been called.
            routes: their handlers, all of which can be called like others: see `event_loop.launched`.
            endpoints: what is spoken now, by configured address.
            handler_timeout: seconds that handlers may take which say nothing else.
        """
        self.verdicts = Verdicts(recording.path)
        self._recording = recording
        self._host, self._routes, self._endpoints = host, routes, endpoints
        self._error_ids = {one.error_id for one in recording.spoken.values() if one.error_id is not None}
        self._clock = ManualClock()
        self._changed = threading.Event()
        self._handling = Handling(self._clock, handler_timeout, self._changed.set)
        self._on_stage: dict[str, SocketlessConnection] = {}
        self._takes: dict[Take, None] = {}  # those that are not done
        self._answers: list[tuple[int, int, Take, int]] = []  # a heap: when, and how many there were then
        self._count = itertools.count()
        self._grace = GRACE
        self._began = time.monotonic()
        self._thread = threading.get_ident()
        self._running: Take | None = None
        self._awaited: Take | None = None

    @property
    def current(self) -> str:
        """What is being handled, or waited for, in words; empty if nothing is. Any thread."""
        take = self._running or self._awaited
        return str(take) if take is not None else ""

    def play(self) -> None:
        """Play all of it."""
        for at, recorded, step in self._events():
            self._turn(0.0)
            self._await_answers(at)
            if step is None:
                assert recorded.closed is not None, "an end that was recorded"
                self._close(recorded.id, recorded.closed.reason)
            else:
                self._step(recorded, step)
        self._await_answers(None)
        self._await_unknown(lambda: list(self._takes))
        for name in list(self._on_stage):
            self._close(name, _OVER)
        self._wait_in_vain(lambda: not self._takes)

    def _events(self) -> Iterator[tuple[int, RecordedConnection, Step | None]]:
        """Messages, and connections' ends (`None`), in the order of their time."""
        events: list[tuple[int, int, RecordedConnection, Step | None]] = [
            (step.message.time, step.number, recorded, step) for recorded, step in self._recording.timeline()
        ]
        ends = ((one.closed.time, one) for one in self._recording.connections.values() if one.closed is not None)
        events += [(time_, 0, one, None) for time_, one in ends]
        events.sort(key=lambda event: event[0])
        return ((at, recorded, step) for at, _, recorded, step in events)

    def _step(self, recorded: RecordedConnection, step: Step) -> None:
        message = step.message
        connection = self._on_stage.get(recorded.id) or self._open(recorded)
        if connection.closing or (message.id == HEARTBEAT_ID and not message.body):
            return
        then = Then(self._recording, recorded, step, self._error_ids)
        route = self._routes.get(message.id)
        if route is None:
            if then.handled:
                self.verdicts.fail(step, None, "there is no handler for it; there was one when it was recorded")
            return
        take = Take(step, route, then, self._handling.timeout_of(route), self.verdicts, self._note)
        self._takes[take] = None
        for number, at in enumerate(then.answered, 1):
            heapq.heappush(self._answers, (at, next(self._count), take, number))
        self._handling.begin(connection, route, message.sequence, message.body, take)
        self._running = None

    def _open(self, recorded: RecordedConnection) -> SocketlessConnection:
        made = stage(recorded, self._endpoints, self._recording.spoken)
        self._on_stage[recorded.id] = made
        if self._host.connection_opened is not None:
            self._host.connection_opened(made)
        return made

    def _close(self, name: str, reason: str) -> None:
        """End a connection, once its messages are done, which the daemon waits for; but a stream ends by that."""
        connection = self._on_stage.pop(name, None)
        if connection is None:
            return
        self._await_unknown(lambda: _takes_of(connection))
        self._wait_in_vain(lambda: all(map(self._is_stream, _takes_of(connection)[:1])))
        connection.go_away()
        self._handling.ending(connection)
        if self._host.connection_closed is not None:
            self._host.connection_closed(connection, connection.closed or reason)

    # -- time ----------------------------------------------------------------------------------------------

    def _note(self, take: Take) -> None:
        """Something has happened to a take. A reply: on any thread."""
        if threading.get_ident() == self._thread:
            self._running = None if take.done else take
        if take.done:
            del self._takes[take]
        self._changed.set()

    def _turn(self, timeout: float) -> None:
        """Wait for something to happen, and go on with what it was."""
        self._changed.wait(timeout)
        self._changed.clear()
        self._handling.complete()
        self._clock.advance(max(0.0, time.monotonic() - self._began - self._clock.now))
        self._running = None

    def _wait(self, condition: Callable[[], bool], timeout: float = math.inf) -> bool:
        """Go on until this is so; returns whether it is, after so many seconds."""
        self._turn(0.0)
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._turn(min(left, _TURN))
        return True

    def _await_answers(self, at: int | None) -> None:
        """Wait for what had been answered by then; `None`: for all that was."""
        while self._answers and (at is None or self._answers[0][0] < at):
            _, _, take, replies = heapq.heappop(self._answers)
            if not take.has_answered(replies):
                self._awaited = take
                self._wait(lambda: take.has_answered(replies))  # noqa: B023  # called in here alone
        self._awaited = None

    def _await_unknown(self, takes: Callable[[], Iterable[Take]]) -> None:
        """Wait for these, if nothing was recorded of answers; but not for what may have none for ever."""
        if self._recording.filter.direction != "in":
            return
        self._wait(lambda: all(take.done or self._is_endless(take) for take in takes()))

    def _wait_in_vain(self, condition: Callable[[], bool]) -> None:
        began = time.monotonic()
        if not self._wait(condition, self._grace):
            self._grace = max(0.0, self._grace - (time.monotonic() - began))

    def _is_endless(self, take: Take) -> bool:
        return not take.allowed or self._is_stream(take)

    def _is_stream(self, take: Take) -> bool:
        return take.replies > 0 or self._host.handlers[take.route.id].signature.is_stream


def _takes_of(connection: SocketlessConnection) -> list[Take]:
    """The one that runs, and those that wait for it."""
    messages = [*([] if connection.current is None else [connection.current]), *connection.pending]
    return [one.outcome for one in messages if isinstance(one.outcome, Take)]
