"""The native path."""

from __future__ import annotations

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.dispatch import Unrouted
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.native.dispatch import Dispatcher, Ways
from commscaffoldd.core.native.engine import NativeEngine
from commscaffoldd.core.native.queues import Backlog, ReadyQueue
from commscaffoldd.core.native.turn import Loop, PoolTurns
from commscaffoldd.core.path import Path, PathSettings
from commscaffoldd.core.quarantine import Quarantine


def make_native_path(settings: PathSettings) -> Path:
    """All parts; to be called after the fork."""
    business = settings.business
    ready = ReadyQueue(business.switch_interval)
    engine = NativeEngine(
        settings.listeners,
        settings.frame,
        settings.connections,
        worker=settings.worker,
        per_connection=business.per_connection,
        mutex=settings.mutex,
        unpark=ready.put,
        login=settings.login,
    )
    backlog = Backlog(business.queue)
    ways = Ways(settings.routes)
    quarantine = Quarantine(settings.quarantine, settings.routes, ways.by_id())
    runner = HandlerRunner(FailureLog(settings.quiet), quarantine)
    unrouted = Unrouted(
        engine,
        settings.flood,
        close_unknown=settings.frame.on_unknown_id == "close",
        login_needed=settings.login is not None,
    )
    dispatcher = Dispatcher(
        engine,
        engine.wire,
        engine.send_queue,
        ready,
        backlog,
        ways,
        runner,
        unrouted,
        settings.crowded,
    )
    counters = [Counters() for _ in range(business.threads)]
    turns = [PoolTurns(runner, own, engine.send_buffer, engine.send_queue, ready) for own in counters]
    loops = [Loop(ready, backlog, engine, own, dispatcher.hand_back) for own in turns]
    return Path(
        engine=engine,
        connections=engine.pool,
        dispatcher=dispatcher,
        backlog=backlog,
        loops=[loop.run for loop in loops],
        end_one_loop=lambda: ready.put(None),
        send_loop=engine.send_queue.run,
        end_send_loop=engine.send_queue.close,
        counters=counters,
        running=turns,
        quarantine=quarantine,
    )
