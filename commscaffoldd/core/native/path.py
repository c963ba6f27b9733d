"""The native path."""

from __future__ import annotations

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.dispatch import Unrouted
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.native.dispatch import Dispatcher
from commscaffoldd.core.native.engine import NativeEngine
from commscaffoldd.core.native.queues import Backlog, ReadyQueue
from commscaffoldd.core.native.turn import Loop, PoolTurns
from commscaffoldd.core.path import Path, PathSettings


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
    )
    backlog = Backlog(business.queue)
    runner = HandlerRunner(FailureLog())
    unrouted = Unrouted(engine, settings.flood, close_unknown=settings.frame.on_unknown_id == "close")
    dispatcher = Dispatcher(
        engine,
        engine.wire,
        engine.send_queue,
        ready,
        backlog,
        settings.routes,
        runner,
        unrouted,
        settings.crowded,
    )
    counters = [Counters() for _ in range(business.threads)]
    loops = [
        Loop(
            ready,
            backlog,
            engine,
            PoolTurns(runner, own, engine.send_buffer, engine.send_queue, ready),
            dispatcher.hand_back,
        )
        for own in counters
    ]
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
    )
