"""Puts a worker's parts together: engine, reactor, business pool, sender, recycler, heartbeat watchdog."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from commscaffoldd.config.schema import Config
from commscaffoldd.core.accept import AcceptMutex, Listener
from commscaffoldd.core.business_pool import BusinessPool, ReadyQueue
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.engine import wanted_engine
from commscaffoldd.core.epoll_engine import EpollEngine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.heartbeat import HeartbeatWatchdog
from commscaffoldd.core.reactor import Lifecycle, Reactor
from commscaffoldd.core.recycler import Recycler
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Route
from commscaffoldd.core.sender import Sender, SendQueue
from commscaffoldd.core.slot import Slot
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.launch import Launch, ListenSocket
from commscaffoldd.worker.plugins import make_endpoint

SERVICE_STOP: Final = 1.0  # seconds for each service thread to end


class Worker:
    """A worker's parts, and the order in which they start and end. For the main thread."""

    def __init__(self, launch: Launch, host: PluginHost) -> None:
        """Make all parts; nothing runs yet.

        Raises:
            OSError: the accept mutex cannot be opened, or there are too few descriptors.
            ValueError: the environment asks for an engine that is not there.
        """
        config = launch.config
        wanted_engine()
        send_queue, ready = SendQueue(), _ready_queue()
        self.engine = EpollEngine(
            [_listener(config, one) for one in launch.sockets],
            config.frame,
            config.connections,
            worker=launch.number,
            per_connection=config.business.per_connection,
            mutex=_accept_mutex(launch.sockets, launch.accept_lock),
            flush_soon=send_queue.put,
            unpark=ready.put,
        )
        runner = HandlerRunner(FailureLog())
        self.pool = BusinessPool(
            config.business,
            ready,
            send_queue,
            self.engine,
            runner,
            lambda slot: self.reactor.hand_back(slot),  # noqa: PLW0108  # the reactor is made below
        )
        self.sender = Sender(send_queue, self.engine)
        self._row = launch.statistics
        self.reactor = Reactor(
            self.engine,
            self.pool,
            runner,
            host.routes,
            flood=FloodGate(config.flood) if config.flood.enabled else None,
            lifecycle=_lifecycle(host),
            close_unknown=config.frame.on_unknown_id == "close",
            tick=self._publish,
        )
        self._recycler = Recycler(self.engine.pool)
        self._watchdog = (
            HeartbeatWatchdog(config.heartbeat, self.engine.open_slots, self._close_silent)
            if config.heartbeat.enabled
            else None
        )
        self._switch_interval = config.business.switch_interval

    def start(self) -> None:
        """Start the threads. What arrives from then on is handled once `reactor.run` turns."""
        sys.setswitchinterval(self._switch_interval)
        self.pool.start()
        self.sender.start()
        self._recycler.start()
        if self._watchdog is not None:
            self._watchdog.start()

    def stop(self, timeout: float) -> int:
        """End the threads, once the reactor has ended; handlers may take `timeout` seconds.

        Returns:
            How many handlers still ran then.
        """
        if self._watchdog is not None:
            self._watchdog.stop(SERVICE_STOP)
        busy = self.pool.stop(timeout)
        self.sender.stop(SERVICE_STOP)
        self._recycler.stop(SERVICE_STOP)
        self._publish(self.engine.gauges() | {"queue": self.pool.depth, "turned_ns": time.monotonic_ns()})
        return busy

    def _publish(self, gauges: dict[str, int]) -> None:
        parts: list[Counters] = [self.reactor.counters, self.engine.counters, self.sender.counters]
        self._row.publish(parts + self.pool.counters, gauges)

    def _close_silent(self, slot: Slot, generation: int, reason: str) -> None:
        self.engine.close_soon(slot, generation, reason, drain=False)


def _ready_queue() -> ReadyQueue:
    return SimpleQueue()


def _listener(config: Config, one: ListenSocket) -> Listener:
    return Listener(one.socket, make_endpoint(config, one.listen), one.listen.accept)


def _accept_mutex(sockets: list[ListenSocket], path: Path) -> AcceptMutex | None:
    return AcceptMutex(path) if any(one.listen.accept == "mutex" for one in sockets) else None


def _lifecycle(host: PluginHost) -> Lifecycle:
    opened, closed = host.connection_opened, host.connection_closed
    return Lifecycle(
        opened and _hook_route("connection_opened", lambda call: opened(call.connection)),
        closed and _hook_route("connection_closed", lambda call: closed(call.connection, call.reason)),
    )


def _hook_route(name: str, function: Callable[[LifecycleCall], None]) -> Route:
    """A hook's place in a connection's order of messages: a route without a message ID."""
    return Route(0, function, "", name, "pool")
