"""The reactor: the worker's loop around the engine. It runs on the worker's main thread.

engine.poll() → opened, arrived, closed → handlers, here or in the business pool → engine.write()
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from commscaffoldd.core import reasons
from commscaffoldd.core.business_pool import BusinessPool
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import UNKNOWN_ID
from commscaffoldd.core.engine import Batch, Engine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.layout import HEARTBEAT_ID
from commscaffoldd.core.request import LifecycleCall, Request, Work
from commscaffoldd.core.route import Route, RouteTable
from commscaffoldd.core.slot import Slot
from commscaffoldd.core.turn import Outcome, TurnRunner

logger = logging.getLogger(__name__)

TICK: Final = 0.25  # seconds between two publications of the worker's numbers
LAST_TICK: Final = 0.02  # seconds between two looks whether all is done, once it stops


class Lifecycle(Struct, frozen=True):
    """Routes to the hooks for a connection's beginning and end; `None` where no plugin wants to know."""

    opened: Route | None = None
    closed: Route | None = None


class Reactor:
    """Takes each batch apart. All methods belong to the main thread, but for `hand_back` and `stop`."""

    def __init__(
        self,
        engine: Engine,
        pool: BusinessPool,
        runner: HandlerRunner,
        routes: RouteTable,
        *,
        flood: FloodGate | None,
        lifecycle: Lifecycle,
        close_unknown: bool,
        tick: Callable[[dict[str, int]], None],
    ) -> None:
        """A reactor.

        Args:
            engine: touches the sockets.
            pool: runs the pooled handlers.
            runner: calls the inline ones.
            routes: handlers by message ID.
            flood: says who sends too much; `None`: nobody does.
            lifecycle: hooks of connections.
            close_unknown: whether a message ID without a handler ends its connection.
            tick: called every `TICK` seconds with the engine's gauges and the queue's.
        """
        self._engine = engine
        self._pool = pool
        self._routes = routes
        self._flood = flood
        self._lifecycle = lifecycle
        self._close_unknown = close_unknown
        self._tick = tick
        self._next_tick = 0.0
        self._shed_at = 0.0  # monotonic: when a queue that is still full is relieved of those who do not read
        self._handed_back: deque[Slot] = deque()
        self._written: list[Slot] = []  # slots in whose outbox this turn has put something
        self.counters = Counters()
        self._inline = TurnRunner("inline", runner, self.counters, engine.send_buffer, self._written.append)
        self._stop_timeout: float | None = None

    # -- any thread ----------------------------------------------------------------------------------------

    def hand_back(self, slot: Slot) -> None:
        """Take a slot, with `slot.owner`, whose next message is for an inline handler."""
        self._handed_back.append(slot)
        self._engine.wake()

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

    def _turn(self, longest: float = TICK) -> None:
        pool = self._pool
        room = pool.room
        if room <= 0 and not pool.full:
            pool.full = True
            self.counters.queue_full += 1
            self._shed_at = time.monotonic() + TICK
        elif pool.full and pool.half_empty:
            pool.full = False
            self._engine.resume_all()
        elif pool.full and time.monotonic() >= self._shed_at:
            self._shed()
        timeout = 0.0 if self._handed_back else longest
        batch = self._engine.poll(timeout, 0 if pool.full else room)
        self._open(batch)
        for slot, connection, frames in batch.arrived:
            self._dispatch(slot, connection, frames, batch.now)
        for _ in range(len(self._handed_back)):
            self._go_on(self._handed_back.popleft())
        if self._written:
            self._engine.write(self._written, self.counters)
            self._written.clear()
        for slot, connection, reason, detail in batch.closed:
            self._closed(slot, connection, reason, detail)
        if batch.now >= self._next_tick:
            self._publish(batch.now)

    def _shed(self) -> None:
        """Close clients whose messages fill the queue because they do not read: nobody else shall wait for them."""
        self._shed_at = time.monotonic() + TICK
        excess = self._pool.excess
        while excess > 0 and (freed := self._engine.shed_slow_reader()):
            excess -= freed

    def _open(self, batch: Batch) -> None:
        opened = self._lifecycle.opened
        for slot in batch.opened:
            connection = slot.connection
            if connection is None:  # closed within the same batch
                continue
            if self._flood is not None:
                self._flood.open(slot, batch.now)
            if opened is not None:
                self._submit(slot, [LifecycleCall(connection, "", opened)])
            logger.debug(f"opened: {connection.peer} on {connection.listen}", extra={"connection": connection.id})

    def _closed(self, slot: Slot, connection: Connection, reason: str, detail: str) -> None:
        closed = self._lifecycle.closed
        if closed is not None:
            self._submit(slot, [LifecycleCall(connection, reason, closed)])
        level = logging.WARNING if reason in reasons.MISBEHAVIOUR else logging.DEBUG
        text = f"{reason}: {detail}" if detail else reason
        logger.log(level, f"closed {connection.peer}: {text}", extra={"connection": connection.id})

    def _dispatch(self, slot: Slot, connection: Connection, frames: list[Frame], now: float) -> None:
        """Send each message to where it is handled."""
        if self._flood is not None and not self._flood.admit(slot, len(frames), now):
            self._engine.close(slot, reasons.FLOOD, self._flood.describe())
            return
        routes = self._routes
        waiting: list[Work] = []
        for message_id, sequence, body in frames:
            route = routes.get(message_id)
            if route is None:
                if not self._answer_unrouted(slot, connection, message_id, sequence, body):
                    break
                continue
            request = Request(connection, message_id, sequence, body, route)
            if route.mode == "concurrent":
                self._pool.submit_concurrent(slot, request)
            else:
                waiting.append(request)
        if waiting:
            self._submit(slot, waiting)

    def _answer_unrouted(
        self, slot: Slot, connection: Connection, message_id: int, sequence: int, body: bytes
    ) -> bool:
        """A heartbeat, or a message ID without a handler; `False` if the connection has been closed for it."""
        endpoint = slot.endpoint
        assert endpoint is not None, "a message came from a connection"
        if message_id == HEARTBEAT_ID and not body:
            self.counters.heartbeats += 1
            self._reply(slot, connection, (HEARTBEAT_ID, sequence, b""))
            return True
        self.counters.unknown_ids += 1
        if self._close_unknown:
            self._engine.close(slot, reasons.UNKNOWN_ID, f"no handler for message ID {message_id}")
            return False
        if message_id not in (endpoint.error_id, endpoint.go_away_id):  # an error is never answered with an error
            text = f"no handler for message ID {message_id}"
            reply = endpoint.error_reply(message_id, sequence, UNKNOWN_ID, text)
            if reply is not None:
                self._reply(slot, connection, reply)
        return True

    def _reply(self, slot: Slot, connection: Connection, reply: tuple[int, int, bytes]) -> None:
        if slot.queue(connection.generation, reply):
            self._written.append(slot)

    def _submit(self, slot: Slot, work: list[Work]) -> None:
        if self._pool.submit(slot, work):
            self._go_on(slot)

    def _go_on(self, slot: Slot) -> None:
        """Run what is inline; pass the rest to the pool. `slot.owner` is held here."""
        if slot.pending and slot.pending[0].route.mode != "inline":
            self._pool.pass_on(slot)
            return
        done, outcome = self._inline.run(slot)
        self._pool.took(slot, done)
        if outcome is Outcome.ELSEWHERE:
            self._pool.pass_on(slot)
        elif outcome is Outcome.MORE or (outcome is Outcome.DONE and self._pool.release(slot)):
            self._handed_back.append(slot)

    def _publish(self, now: float) -> None:
        self._next_tick = now + TICK
        self._tick(self._engine.gauges() | {"queue": self._pool.depth, "turned_ns": time.monotonic_ns()})

    def _wind_down(self, began: float) -> None:
        """Finish what has been received, then close."""
        self._engine.stop_accepting()
        for slot in self._engine.open_slots():
            self._engine.drain(slot, reasons.STOPPING)
        # Also the messages of clients that have gone: they were received, and inline ones are run only here.
        while self._engine.open_slots() or self._pool.depth:
            if time.monotonic() - began >= (self._stop_timeout or 0.0):
                break
            self._turn(LAST_TICK)
        for closed in self._engine.close_all():
            self._closed(*closed)
