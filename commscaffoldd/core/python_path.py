"""The path in pure Python."""

from __future__ import annotations

from queue import SimpleQueue

from commscaffoldd.core.backlog import Backlog
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.dispatch import Dispatcher, Unrouted
from commscaffoldd.core.epoll_engine import EpollEngine
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.path import Path, PathSettings
from commscaffoldd.core.pool_loop import PoolLoop, ReadyQueue
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.sender import SendLoop, SendQueue
from commscaffoldd.core.turn import TurnRunner


def make_python_path(settings: PathSettings) -> Path:
    """All parts; to be called after the fork."""
    business = settings.business
    send_queue = SendQueue()
    ready: ReadyQueue = SimpleQueue()
    engine = EpollEngine(
        settings.listeners,
        settings.frame,
        settings.connections,
        worker=settings.worker,
        per_connection=business.per_connection,
        mutex=settings.mutex,
        flush_soon=send_queue.put,
        unpark=ready.put,
        login=settings.login,
    )
    backlog = Backlog(business.queue, business.threads)
    quarantine = Quarantine(settings.quarantine, settings.routes, settings.routes)
    runner = HandlerRunner(FailureLog(settings.quiet), quarantine)
    unrouted = Unrouted(
        engine,
        settings.flood,
        close_unknown=settings.frame.on_unknown_id == "close",
        login_needed=settings.login is not None,
    )
    await_sent = send_queue.await_sent if settings.crowded else None
    dispatcher = Dispatcher(engine, ready, backlog, settings.routes, runner, unrouted, await_sent)
    counters = [Counters() for _ in range(business.threads)]
    turns = [TurnRunner("pool", runner, own, engine.send_buffer, send_queue.put) for own in counters]
    loops = [PoolLoop(number, ready, backlog, engine, own, dispatcher.hand_back) for number, own in enumerate(turns)]
    return Path(
        engine=engine,
        connections=engine.pool,
        dispatcher=dispatcher,
        backlog=backlog,
        loops=[loop.run for loop in loops],
        end_one_loop=lambda: ready.put(None),
        send_loop=SendLoop(send_queue, engine).run,
        end_send_loop=send_queue.close,
        counters=counters,
        running=[own.running for own in turns],
        quarantine=quarantine,
    )
