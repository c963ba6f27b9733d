"""A closed-loop load: many connections in one thread, each with requests in flight, every reply checked.

    load = Load(LoadPlan(Address.parse("127.0.0.1:9000"), PRESETS["standard"]))
    with contextlib.closing(load):
        load.run()
    print(load.result().rate)

Its phases: all connections are opened; load that is not measured, to warm up; load that is; and the replies that are
still under way at its end are waited for. Those count for the latencies, so that the slowest are not left out, and
not for the rate.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from commscaffoldd.client.descriptors import allow_connections
from commscaffoldd.client.load_connection import LoadConnection
from commscaffoldd.client.load_errors import ConnectionLost, ErrorTally, Kind
from commscaffoldd.client.load_meter import NOTHING, Meter
from commscaffoldd.client.load_opening import Opening
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_requests import Requests
from commscaffoldd.client.load_result import LoadResult

CONNECT_TIMEOUT: Final = 10.0
"""Seconds that opening all connections may take."""
_TICK: Final = 0.1  # seconds between looks at what is not an event: timeouts, progress
_BACKLOG_PAUSE: Final = 0.01  # seconds until a full backlog is tried again, if nothing happens before
_EVENTS: Final = 1024


class Progress(NamedTuple):
    """How far a load is.

    Attributes:
        phase: `connecting`, `warming up`, `measuring` or `finishing`.
        seconds: since the first request was sent; 0 while connecting.
        rate: right replies a second since the last time.
        connections: open now.
    """

    phase: str
    seconds: float
    rate: float
    connections: int


class Load:
    """One run of a plan. Used by one thread; `run` once, then `result`, then `close`.

    A run may be left by an exception (Ctrl-C): `result` then has what was measured until it came.
    """

    def __init__(self, plan: LoadPlan) -> None:
        """Raises ValueError if the plan cannot be done with its layout."""
        plan.check()
        self._plan = plan
        self._on_progress: Callable[[Progress], object] = lambda _: None
        self._requests = Requests(plan.layout, plan.message_id, plan.body)
        self._meter = Meter()
        self._errors = ErrorTally()
        self._epoll = select.epoll()
        self._opening = Opening(plan.address, self._epoll, self._errors)
        self._connections: dict[int, LoadConnection] = {}
        self._opened = 0
        self._dropped = 0
        self._sending = False
        self._phase = "connecting"
        self._began = time.monotonic()
        self._next_tick = 0.0
        self._last_progress = (self._began, 0)
        self._window = NOTHING

    def close(self) -> None:
        """Close all connections."""
        self._opening.close()
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._epoll.close()

    def run(self, on_progress: Callable[[Progress], object] = lambda _: None) -> None:
        """Connect, send for as long as the plan says, wait for the last replies.

        What goes wrong with single connections is counted, and ends them; when none is left, the run is over.
        `on_progress` is called several times a second.

        Raises:
            TooManyConnections: the system's limit does not allow so many.
            OSError: not even one connection could be opened.
        """
        self._on_progress = on_progress
        allow_connections(self._plan.connections)
        self._open()
        self._sending = True
        self._began = time.monotonic()
        for connection in self._connections.values():
            connection.send(self._plan.in_flight)
        self._enter("warming up")
        self._turn_until(self._began + self._plan.warm_up)
        self._meter.restart()
        self._enter("measuring")
        self._turn_until(time.monotonic() + self._plan.duration)
        self._window = self._meter.window()
        self._sending = False
        self._opening.close()
        self._enter("finishing")
        while any(connection.unanswered for connection in self._connections.values()):
            self._turn()
        self._tick(time.monotonic())

    def result(self) -> LoadResult:
        """What was measured until now."""
        measuring = self._phase == "measuring"
        return LoadResult(
            plan=self._plan,
            window=self._meter.window() if measuring else self._window,
            latencies=self._meter.latencies,
            errors=self._errors.counts(),
            opened=self._opened,
            pushes=self._meter.pushes,
            go_aways=self._meter.go_aways,
            dropped=self._dropped,
        )

    def _open(self) -> None:
        deadline = time.monotonic() + CONNECT_TIMEOUT
        self._adopt([self._opening.open_first(CONNECT_TIMEOUT)])
        self._opening.want(self._plan.connections - 1)
        while self._opening.pending and time.monotonic() < deadline:
            opened = self._opening.advance()
            self._adopt(opened)
            self._turn(0 if opened else _BACKLOG_PAUSE)
        self._opening.give_up(f"not connected within {CONNECT_TIMEOUT:g} seconds")

    def _enter(self, phase: str) -> None:
        self._phase = phase
        now = time.monotonic()
        self._last_progress = (now, self._meter.messages)
        self._next_tick = now + _TICK

    def _turn_until(self, end: float) -> None:
        while (self._connections or self._opening.pending) and (now := time.monotonic()) < end:
            self._turn(min(_TICK, end - now))

    def _turn(self, timeout: float = _TICK) -> None:
        """Wait once, and do all that there is to do then."""
        for descriptor, events in self._epoll.poll(timeout, _EVENTS):
            connection = self._connections.get(descriptor)
            if connection is None:
                if self._opening.has(descriptor):
                    self._opening.finish(descriptor)
                continue
            try:
                if events & select.EPOLLOUT:
                    connection.flush()
                if events & ~select.EPOLLOUT:
                    self._receive(connection)
            except ConnectionLost as lost:
                self._end(connection, lost)
        if self._sending and self._opening.pending:
            self._adopt(self._opening.advance())
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + _TICK
            self._tick(now)

    def _receive(self, connection: LoadConnection) -> None:
        answered = connection.receive()
        if connection.leaving:
            if not connection.unanswered:
                raise ConnectionLost(Kind.CLOSED, "told to go away")
        elif answered and self._sending:
            connection.send(answered)

    def _tick(self, now: float) -> None:
        overdue = time.monotonic_ns() - int(self._plan.timeout * 1e9)
        for connection in list(self._connections.values()):
            since = connection.waits_since()
            if since is not None and since < overdue:
                self._check_overdue(connection, overdue)
        before, messages = self._last_progress
        seconds = now - before
        rate = (self._meter.messages - messages) / seconds if seconds > 0 else 0.0
        self._last_progress = (now, self._meter.messages)
        begun = 0.0 if self._phase == "connecting" else now - self._began
        self._on_progress(Progress(self._phase, begun, rate, len(self._connections)))

    def _check_overdue(self, connection: LoadConnection, overdue: int) -> None:
        # Perhaps the reply is there, and it was this process that stood still: then it is only late.
        try:
            self._receive(connection)
            since = connection.waits_since()
            if since is not None and since < overdue:
                raise ConnectionLost(Kind.NO_REPLY, f"no reply within {self._plan.timeout:g} seconds")
        except ConnectionLost as lost:
            self._end(connection, lost)

    def _adopt(self, sockets: list[socket.socket]) -> None:
        for connected in sockets:
            connection = LoadConnection(connected, self._epoll, self._plan, self._requests, self._meter, self._errors)
            self._connections[connection.fileno()] = connection
            self._opened += 1
            if self._sending:
                connection.send(self._plan.in_flight)

    def _end(self, connection: LoadConnection, lost: ConnectionLost) -> None:
        del self._connections[connection.fileno()]
        connection.close()
        if not connection.leaving:
            self._errors.add(lost.kind, lost.text)
            return
        # It was told to go away, and does what it was told: connects anew. Requests that the daemon did
        # not read before it closed are lost, and no error: that is what the word is for.
        self._dropped += connection.unanswered
        if self._sending:
            self._opening.want(1)
