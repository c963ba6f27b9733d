"""Messages of one client that wait, and what runs them: an engine over a real socket, a dispatcher, and no thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from commscaffoldd.core.backlog import Backlog
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.dispatch import Dispatcher, Unrouted
from commscaffoldd.core.engine import wanted_engine
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.path import PathBacklog, PathDispatcher
from commscaffoldd.core.pool_loop import PoolLoop, ReadyQueue
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.route import Mode, Route, RouteTable
from commscaffoldd.core.sender import SendLoop, SendQueue
from commscaffoldd.core.settings import QuarantineSettings
from commscaffoldd.core.slot import Slot
from commscaffoldd.core.turn import Outcome, TurnRunner
from tests.core.engine_rig import EngineRig, engine_rig
from tests.core.peers import STANDARD

Loop = Callable[[], None]
MakeLoop = Callable[[int, Any, Callable[[Slot], None]], Loop]
"""From the thread's number, what is asked of an engine, and what takes a slot back."""


class Turns(Protocol):
    """See `turn.TurnRunner`."""

    def run(self, slot: Slot) -> tuple[int, Outcome]: ...


class Running(NamedTuple):
    """The parts of a path that run messages.

    Attributes:
        dispatcher, backlog: the path's.
        send_all: sends what is in outboxes; once, at the end of a test.
        turns: of pooled handlers.
        counters: those of `turns`.
        put: puts into the ready queue.
        make_loop: makes what a business thread does.
    """

    dispatcher: PathDispatcher
    backlog: PathBacklog
    send_all: Callable[[], None]
    turns: Turns
    counters: Counters
    put: Callable[[Slot | None], None]
    make_loop: MakeLoop


class TurnRig:
    """One client and its slot; `arrive` lets its messages wait."""

    def __init__(self, rig: EngineRig, running: Running, ids: dict[Mode, int]) -> None:
        self.rig = rig
        self.running = running
        self.turns = running.turns
        self.backlog = running.backlog
        self.counters = running.counters
        self._ids = ids
        self.peer, self.slot = rig.open()

    @property
    def connection(self) -> Connection:
        assert self.slot.connection is not None
        return self.slot.connection

    def arrive(self, *bodies: bytes, mode: Mode = "pool") -> None:
        """Have the client send messages for a handler of this mode, and dispatch them."""
        expected = len(self.rig.frames) + len(bodies)
        self.peer.sock.sendall(b"".join(STANDARD.encode(self._ids[mode], 0, body) for body in bodies))
        self.rig.until(lambda: self._dispatch() >= expected)

    def _dispatch(self) -> int:
        self.running.dispatcher.dispatch(self.rig.poll())
        return len(self.rig.frames)

    def waiting(self) -> list[bytes]:
        """The bodies of the messages that wait."""
        return [work.body for work in self.slot.pending if hasattr(work, "body")]

    def delivered(self) -> list[bytes]:
        """The bodies that the client gets; at the end of a test."""
        self.running.send_all()
        self.peer.pump()
        return self.peer.bodies()


@contextlib.contextmanager
def turn_rig(handlers: dict[Mode, Callable[[Any], object]], send_buffer: int, limit: int = 10) -> Iterator[TurnRig]:
    """A rig with a handler for each mode, on the engine that is asked for.

    Args:
        handlers: by their mode.
        send_buffer: bytes waiting for the client above which its messages are not handled.
        limit: how many messages may wait.
    """
    ids: dict[Mode, int] = {mode: number for number, mode in enumerate(handlers, 1)}
    routes: RouteTable = {
        ids[mode]: Route(ids[mode], handler, "test", mode, mode) for mode, handler in handlers.items()
    }
    make = _native if wanted_engine() == "native" else _python
    with engine_rig(send_buffer=send_buffer) as rig:
        yield TurnRig(rig, make(rig.engine, routes, limit), ids)


def _python(engine: Any, routes: RouteTable, limit: int) -> Running:
    ready: ReadyQueue = SimpleQueue()
    quarantine = Quarantine(QuarantineSettings(), routes, routes)
    backlog = Backlog(limit, threads=2)
    runner, counters, send_queue = HandlerRunner(FailureLog(), quarantine), Counters(), SendQueue()
    unrouted = Unrouted(engine, None, close_unknown=False)
    turns = TurnRunner("pool", runner, counters, engine.send_buffer, send_queue.put)

    def make_loop(number: int, asked: Any, hand_back: Callable[[Slot], None]) -> Loop:
        own = TurnRunner("pool", runner, Counters(), engine.send_buffer, send_queue.put)
        return PoolLoop(number, ready, backlog, asked, own, hand_back).run

    dispatcher = Dispatcher(engine, ready, backlog, routes, runner, unrouted)

    def send_all() -> None:
        send_queue.close()
        SendLoop(send_queue, engine).run(Counters())

    return Running(dispatcher, backlog, send_all, turns, counters, ready.put, make_loop)


def _native(engine: Any, routes: RouteTable, limit: int) -> Running:
    from commscaffoldd.core.native import dispatch, queues, turn

    ready, ways = queues.ReadyQueue(0.0005), dispatch.Ways(routes)
    quarantine = Quarantine(QuarantineSettings(), routes, ways.by_id())
    backlog = queues.Backlog(limit)
    runner, counters, send_queue = HandlerRunner(FailureLog(), quarantine), Counters(), engine.send_queue
    unrouted = Unrouted(engine, None, close_unknown=False)
    turns = turn.PoolTurns(runner, counters, engine.send_buffer, send_queue, ready)

    def make_loop(_number: int, asked: Any, hand_back: Callable[[Slot], None]) -> Loop:
        own = turn.PoolTurns(runner, Counters(), engine.send_buffer, send_queue, ready)
        return turn.Loop(ready, backlog, asked, own, hand_back).run

    dispatcher = dispatch.Dispatcher(engine, engine.wire, send_queue, ready, backlog, ways, runner, unrouted, False)

    def send_all() -> None:
        send_queue.close()
        send_queue.run(Counters())

    return Running(dispatcher, backlog, send_all, turns, counters, ready.put, make_loop)
