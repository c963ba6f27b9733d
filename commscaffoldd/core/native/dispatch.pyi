from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.dispatch import Unrouted
from commscaffoldd.core.engine import Batch, Engine
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.native.queues import Backlog, ReadyQueue
from commscaffoldd.core.native.request import Way
from commscaffoldd.core.native.sending import SendQueue
from commscaffoldd.core.native.wire import Wire
from commscaffoldd.core.request import LifecycleCall, Work
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.running import Watched
from commscaffoldd.core.slot import Ready, Slot

# Slots are of the native kind here: see slot.pyi.

class Ways:
    def __init__(self, routes: RouteTable) -> None: ...
    def by_id(self) -> dict[int, Way]: ...

class Dispatcher:
    counters: Counters
    held: list[Slot]
    def __init__(
        self,
        engine: Engine,
        wire: Wire,
        send_queue: SendQueue,
        ready: ReadyQueue,
        backlog: Backlog,
        ways: Ways,
        runner: HandlerRunner,
        unrouted: Unrouted,
        crowded: bool,
    ) -> None: ...
    @property
    def running(self) -> Watched: ...
    def hand_back(self, slot: Slot) -> None: ...
    def longest_wait(self, longest: float) -> float: ...
    def dispatch(self, batch: Batch) -> None: ...
    def take_over(self, slot: Slot, connection: Connection, frames: list[Frame]) -> None: ...
    def go_on(self, slot: Slot) -> None: ...
    def run_first(self, slot: Slot, call: LifecycleCall) -> None: ...
    def reclaim(self) -> list[Ready]: ...
    def forget(self, slot: Slot) -> None: ...
    def submit(self, slot: Slot, work: list[Work]) -> None: ...
