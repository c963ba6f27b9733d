"""The reactor: the worker's loop around the engine. It runs on the worker's main thread.

engine.poll() → opened, arrived, closed → dispatcher → handlers, here or in the business pool → engine.write()
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import Batch, Engine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.moving import ConnectionState
from commscaffoldd.core.path import PathBacklog, PathDispatcher
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Route
from commscaffoldd.core.session import unpack_session
from commscaffoldd.core.slot import Slot
from commscaffoldd.core.tap import Tap

logger = logging.getLogger(__name__)

TICK: Final = 0.25  # seconds between two publications of the worker's numbers
STEP: Final = 0.001  # seconds of the longest wait while something is called in each turn
LAST_TICK: Final = 0.02  # seconds between two looks whether all is done, once it stops


class Lifecycle(Struct, frozen=True):
    """Routes to the hooks of a connection's life; `None` where no plugin wants to know."""

    opened: Route | None = None
    closed: Route | None = None
    handing_over: Route | None = None
    adopted: Route | None = None


class Reactor:
    """Takes each batch apart. All methods belong to the main thread, but for `stop`."""

    def __init__(
        self,
        engine: Engine,
        dispatcher: PathDispatcher,
        backlog: PathBacklog,
        *,
        flood: FloodGate | None,
        lifecycle: Lifecycle,
        tick: Callable[[dict[str, int]], None],
    ) -> None:
        """A reactor.

        Args:
            engine: touches the sockets.
            dispatcher: takes the messages.
            backlog: says for how many more there is room.
            flood: fills a new connection's bucket; `None`: there are none.
            lifecycle: hooks of connections.
            tick: called every `TICK` seconds with the engine's gauges and the queue's.
        """
        self._engine = engine
        self._dispatcher = dispatcher
        self._backlog = backlog
        self._flood = flood
        self._lifecycle = lifecycle
        self._tick = tick
        self._next_tick = 0.0
        self._shed_at = 0.0  # monotonic: when a queue that is still full is relieved of those who do not read
        self.counters = dispatcher.counters
        self._steps: list[Callable[[], bool]] = []
        self.tap: Tap | None = None  # set by any thread
        self._stop_timeout: float | None = None

    # -- any thread ----------------------------------------------------------------------------------------

    def stop(self, timeout: float) -> None:
        """Stop accepting, finish what has been received, close; at the latest after `timeout` seconds.

        Also from a signal handler; a second call can only shorten the time.
        """
        self._stop_timeout = timeout if self._stop_timeout is None else min(timeout, self._stop_timeout)
        self._engine.wake()

    # -- the main thread -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until stopped."""
        while self._stop_timeout is None:
            self._turn()
        self._wind_down(time.monotonic())
        self._publish(time.monotonic())

    def adopt(self, fd: int, endpoint: Endpoint, state: ConnectionState) -> Slot:
        """Go on with another worker's connection. The descriptor is the engine's from now on. Raises OSError."""
        slot = self._engine.adopt(fd, endpoint, state)
        connection = slot.connection
        assert connection is not None, "an adopted slot has its connection"
        connection.restore_session(unpack_session(state.session))
        if self._lifecycle.adopted is not None:
            self._dispatcher.submit(slot, [LifecycleCall(connection, "", self._lifecycle.adopted)])
        self._dispatcher.take_over(slot, connection, state.messages)
        return slot

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop."""
        return self._stop_timeout is not None

    def call_each_turn(self, step: Callable[[], bool]) -> None:
        """Call this in each turn, and turn every few milliseconds, until it gives `False`."""
        self._steps.append(step)

    def _turn(self, longest: float = TICK) -> None:
        backlog, dispatcher = self._backlog, self._dispatcher
        if self._steps:
            longest = min(longest, STEP)
        room = backlog.room
        if backlog.full or room <= 0:
            self._mind_full_queue()
        batch = self._engine.poll(dispatcher.longest_wait(longest), 0 if backlog.full else room)
        if batch.opened:
            self._open(batch)
        if (tap := self.tap) is not None and (arrived := batch.arrived):
            tap.received(arrived)
        dispatcher.dispatch(batch)
        for slot, connection, reason, detail in batch.closed:
            self._closed(slot, connection, reason, detail)
        if self._steps:
            steps, self._steps = self._steps, []  # one of them may bring another
            self._steps += [step for step in steps if step()]
        if batch.now >= self._next_tick:
            self._publish(batch.now)

    def _mind_full_queue(self) -> None:
        backlog = self._backlog
        if not backlog.full:
            backlog.full = True
            self.counters.queue_full += 1
            self._shed_at = time.monotonic() + TICK
        elif backlog.excess <= 0:
            backlog.full = False
            self._engine.resume_all()
        elif time.monotonic() >= self._shed_at:
            self._shed()

    def _shed(self) -> None:
        """Close clients whose messages fill the queue because they do not read: nobody else shall wait for them."""
        self._shed_at = time.monotonic() + TICK
        excess = self._backlog.excess
        while excess > 0 and (freed := self._engine.shed_slow_reader()):
            excess -= freed

    def _open(self, batch: Batch) -> None:
        opened, tap = self._lifecycle.opened, self.tap
        for slot in batch.opened:
            connection = slot.connection
            if connection is None:  # closed within the same batch
                continue
            if self._flood is not None:
                self._flood.open(slot, batch.now)
            if tap is not None:
                tap.opened(slot, connection)
            if opened is not None:
                self._dispatcher.submit(slot, [LifecycleCall(connection, "", opened)])
            logger.debug(f"opened: {connection.peer} on {connection.listen}", extra={"connection": connection.id})

    def _closed(self, slot: Slot, connection: Connection, reason: str, detail: str) -> None:
        self._engine.deferrals.ending(connection)
        closed = self._lifecycle.closed
        if (tap := self.tap) is not None:
            tap.closed(connection, reason)
        if closed is not None:
            self._dispatcher.submit(slot, [LifecycleCall(connection, reason, closed)])
        level = logging.WARNING if reason in reasons.MISBEHAVIOUR else logging.DEBUG
        text = f"{reason}: {detail}" if detail else reason
        logger.log(level, f"closed {connection.peer}: {text}", extra={"connection": connection.id})

    def _publish(self, now: float) -> None:
        self._next_tick = now + TICK
        self._tick(self.gauges())

    def gauges(self) -> dict[str, int]:
        """The numbers of the moment, by their names in `counters.GAUGES`. The main thread."""
        return self._engine.gauges() | {"queue": self._backlog.depth, "turned_ns": time.monotonic_ns()}

    def _wind_down(self, began: float) -> None:
        """Finish what has been received, then close."""
        self._engine.stop_accepting()
        for slot in self._engine.open_slots():
            self._engine.drain(slot, reasons.STOPPING)
        # Also the messages of clients that have gone: they were received, and inline ones are run only here. And a
        # handover to its end: what was queued late for a connection that has left must follow it.
        while self._engine.open_slots() or self._backlog.depth or self._steps:
            if time.monotonic() - began >= (self._stop_timeout or 0.0):
                break
            self._turn(LAST_TICK)
        for closed in self._engine.close_all():
            self._closed(*closed)
