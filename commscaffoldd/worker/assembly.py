"""Puts a worker's parts together: engine, reactor, business pool, sender, recycler, watchdogs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn

from commscaffoldd.config.schema import Config
from commscaffoldd.core.accept import AcceptMutex, Listener
from commscaffoldd.core.assembly import Core
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.engine import wanted_engine
from commscaffoldd.core.event_loop import EventLoop, launched
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.handler_watchdog import HandlerWatchdog, Observer
from commscaffoldd.core.handling import QUIET
from commscaffoldd.core.heartbeat import HeartbeatWatchdog
from commscaffoldd.core.loop_watch import LoopWatch
from commscaffoldd.core.path import PathSettings
from commscaffoldd.core.reactor import Lifecycle
from commscaffoldd.core.recycler import Recycler
from commscaffoldd.core.request import LifecycleCall
from commscaffoldd.core.route import Route
from commscaffoldd.core.slot import Slot
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.launch import Launch, ListenSocket
from commscaffoldd.worker.plugins import make_endpoint
from commscaffoldd.worker.timer_thread import Spawn, TimerThread

BUSY_THREADS: Final = 2  # of a worker under load: with fewer processors they wait for each other
SERVICE_STOP: Final = 1.0  # seconds for each service thread to end


class Worker:
    """A worker's parts, and the order in which they start and end. For the main thread."""

    def __init__(self, launch: Launch, host: PluginHost, event_loop: EventLoop | None, quiet: float = QUIET) -> None:
        """Make all parts; nothing runs yet.

        Args:
            launch: what the master has given.
            host: the plugins, started.
            event_loop: runs; `None`: no plugin has anything asynchronous.
            quiet: seconds in which a message ID's further failures are counted instead of logged.

        Raises:
            OSError: the accept mutex, or a timer's lock, cannot be opened, or there are too few descriptors.
            ValueError: the environment asks for an engine that is not there.
        """
        config = launch.config
        routes = host.routes if event_loop is None else launched(host.routes, event_loop)
        flood = FloodGate(config.flood) if config.flood.enabled else None
        listeners = [_listener(config, one) for one in launch.sockets]
        self.core = Core(
            wanted_engine(),
            PathSettings(
                listeners=listeners,
                frame=config.frame,
                connections=config.connections,
                business=config.business,
                routes=routes,
                flood=flood,
                worker=launch.number,
                mutex=_accept_mutex(launch.sockets, launch.accept_lock),
                quarantine=config.quarantine,
                login=config.login if host.login_needed else None,
                quiet=quiet,
                crowded=len(os.sched_getaffinity(0)) <= BUSY_THREADS * config.daemon.workers,
            ),
            _lifecycle(host),
            self._publish,
        )
        self.engine, self.reactor = self.core.path.engine, self.core.reactor
        self.endpoints = {one.endpoint.address: one.endpoint for one in listeners}
        self.quarantine = self.core.path.quarantine
        self._handler_timeout, self._routes = config.business.handler_timeout, routes
        self._handler_watchdog: HandlerWatchdog | None = None
        self._row = launch.statistics
        self._recycler = Recycler(self.core.path.connections)
        self._watchdog = (
            HeartbeatWatchdog(config.heartbeat, self.engine.open_slots, self._close_silent)
            if config.heartbeat.enabled
            else None
        )
        self._loop_watch = None if event_loop is None else LoopWatch(event_loop)
        self._timers = TimerThread(host.timers, Path(config.daemon.run_dir), _spawning(event_loop))
        self._switch_interval = config.business.switch_interval

    def start(self, observer: Observer) -> None:
        """Start the threads. What arrives from then on is handled once `reactor.run` turns.

        `observer` hears what the master should know of handlers.
        """
        sys.setswitchinterval(self._switch_interval)
        self.core.start()
        self._recycler.start()
        if self._watchdog is not None:
            self._watchdog.start()
        self._handler_watchdog = HandlerWatchdog(
            self.core.path.running,
            self.core.path.dispatcher.running,
            deferrals=self.engine.deferrals,
            timeout=self._handler_timeout,
            routes=self._routes,
            quarantine=self.quarantine,
            observer=observer,
            loop_watch=self._loop_watch,
        )
        self.core.counters.append(self._handler_watchdog.counters)
        self._handler_watchdog.start()
        self._timers.start()

    def describe_timers(self) -> list[dict[str, Any]]:
        """The plugins' timers, and how they have gone. Any thread."""
        return self._timers.describe()

    def stop_timers_soon(self) -> None:
        """Begin no more calls of timers: other workers shall have them. Any thread, also in a signal handler."""
        self._timers.stop_soon()

    def stop(self, timeout: float) -> int:
        """End the threads, once the reactor has ended; handlers and timers may take `timeout` seconds.

        Returns:
            How many handlers still ran then.
        """
        if self._watchdog is not None:
            self._watchdog.stop(SERVICE_STOP)
        deadline = time.monotonic() + timeout
        self._timers.stop_soon()
        busy = self.core.stop(timeout)
        busy += len(self.engine.deferrals.suspended())
        self._timers.stop(max(deadline - time.monotonic(), 0.0))
        if self._handler_watchdog is not None:
            self._handler_watchdog.stop(SERVICE_STOP)
        self._recycler.stop(SERVICE_STOP)
        self._publish(self.core.gauges())
        return busy

    def _publish(self, gauges: dict[str, int]) -> None:
        self._row.publish(self.core.counters, gauges)
        self._timers.look(time.monotonic())

    def _close_silent(self, slot: Slot, generation: int, reason: str) -> None:
        self.engine.close_soon(slot, generation, reason, drain=False)


def _spawning(event_loop: EventLoop | None) -> Spawn:
    if event_loop is None:
        return _no_event_loop
    return event_loop.spawn


def _no_event_loop(coroutine: Coroutine[Any, Any, None]) -> NoReturn:
    coroutine.close()
    raise RuntimeError("there is something asynchronous, but no event loop")


def _listener(config: Config, one: ListenSocket) -> Listener:
    return Listener(one.socket, make_endpoint(config, one.listen), one.listen.accept)


def _accept_mutex(sockets: list[ListenSocket], path: Path) -> AcceptMutex | None:
    return AcceptMutex(path) if any(one.listen.accept == "mutex" for one in sockets) else None


def _lifecycle(host: PluginHost) -> Lifecycle:
    closed = host.connection_closed
    return Lifecycle(
        _connection_hook("connection_opened", host.connection_opened),
        closed and _hook_route("connection_closed", lambda call: closed(call.connection, call.reason)),
        _connection_hook("connection_handing_over", host.connection_handing_over),
        _connection_hook("connection_adopted", host.connection_adopted),
    )


def _connection_hook(name: str, hook: Callable[[Connection], None] | None) -> Route | None:
    return hook and _hook_route(name, lambda call: hook(call.connection))


def _hook_route(name: str, function: Callable[[LifecycleCall], None]) -> Route:
    """A hook's place in a connection's order of messages: a route without a message ID."""
    return Route(0, function, "", name, "pool")
