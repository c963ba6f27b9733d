"""The path: the parts that each message passes, from the socket to its handler and back.

There are two, which do the same: `python_path` and, where it has been built, `native.path`. What is built once per
worker and not passed by messages (reactor, watchdogs, recycler) is above it, and the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from commscaffoldd.core.accept import AcceptMutex, Listener
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.engine import Batch, Engine
from commscaffoldd.core.flood import FloodGate
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.handling import QUIET
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.request import LifecycleCall, Work
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.running import Watched
from commscaffoldd.core.settings import (
    BusinessSettings,
    ConnectionSettings,
    FrameSettings,
    LoginSettings,
    QuarantineSettings,
)
from commscaffoldd.core.slot import Ready, Slot


class PathSettings(Struct):
    """What a path is made for.

    Attributes:
        listeners: what to accept from.
        frame, connections, business: limits.
        routes: handlers by message ID.
        flood: says who sends too much; `None`: nobody does.
        worker: this worker's number, part of connections' IDs.
        mutex: the accept mutex, if a listener uses it.
        crowded: whether workers share the processors, so that one of their threads often waits for another one's.
        quarantine: when a message ID's handler is left alone.
        login: by when clients must log in; `None`: they need not.
        quiet: seconds in which a message ID's further failures are counted instead of logged.
    """

    listeners: list[Listener]
    frame: FrameSettings
    connections: ConnectionSettings
    business: BusinessSettings
    routes: RouteTable
    flood: FloodGate | None
    worker: int
    mutex: AcceptMutex | None
    crowded: bool = True
    quarantine: QuarantineSettings = QuarantineSettings()
    login: LoginSettings | None = None
    quiet: float = QUIET


class PathBacklog(Protocol):
    """See `backlog.Backlog`."""

    full: bool

    @property
    def depth(self) -> int:
        """Messages that wait or run."""

    @property
    def room(self) -> int:
        """How many more may wait."""

    @property
    def excess(self) -> int:
        """How many must go before reading goes on."""


class PathDispatcher(Protocol):
    """See `dispatch.Dispatcher`."""

    counters: Counters
    held: list[Slot]

    @property
    def running(self) -> Watched:
        """What the reactor's thread runs now."""

    def hand_back(self, slot: Slot) -> None:
        """Take a slot whose next message is for an inline handler. Any thread."""

    def longest_wait(self, longest: float) -> float:
        """For how many seconds the next wait may wait."""

    def dispatch(self, batch: Batch) -> None:
        """Handle or pass on all messages of a batch. The reactor's thread."""

    def submit(self, slot: Slot, work: list[Work]) -> None:
        """Let work wait in its connection's order. The reactor's thread."""

    def take_over(self, slot: Slot, connection: Connection, frames: list[Frame]) -> None:
        """Let messages that another worker has received wait, in their order. The reactor's thread."""

    def go_on(self, slot: Slot) -> None:
        """Run what waits for a slot, with the right to run it. The reactor's thread."""

    def run_first(self, slot: Slot, call: LifecycleCall) -> None:
        """Have a hook run before all that waits for a slot, with the right to run it. The reactor's thread."""

    def reclaim(self) -> list[Ready]:
        """Take the messages of leaving slots out of the ready queue; hooks stay there. The reactor's thread."""

    def forget(self, slot: Slot) -> None:
        """Count all that waits for a slot as done. The reactor's thread."""


class Path(Struct):
    """A path's parts, connected with each other.

    Attributes:
        engine: touches the sockets.
        connections: the engine's connection pool.
        dispatcher: takes the engine's batches.
        backlog: counts what waits between dispatcher and business threads.
        loops: what each business thread does.
        end_one_loop: ends one of them once nothing waits before it.
        send_loop: what the sender's thread does, counting into these counters.
        end_send_loop: ends it once all before has been sent.
        counters: those of the business threads.
        running: what each of them runs now.
        quarantine: of the message IDs.
    """

    engine: Engine
    connections: ConnectionPool
    dispatcher: PathDispatcher
    backlog: PathBacklog
    loops: Sequence[Callable[[], None]]
    end_one_loop: Callable[[], None]
    send_loop: Callable[[Counters], None]
    end_send_loop: Callable[[], None]
    counters: list[Counters]
    running: Sequence[Watched]
    quarantine: Quarantine
