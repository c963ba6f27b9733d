from collections.abc import Callable

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.handling import HandlerRunner
from commscaffoldd.core.native.queues import Backlog, ReadyQueue
from commscaffoldd.core.native.sending import SendQueue
from commscaffoldd.core.request import Work
from commscaffoldd.core.slot import Slot
from commscaffoldd.core.turn import Outcome

# Slots are of the native kind here: see slot.pyi.

class Turns:
    thread: int
    @property
    def work(self) -> Work | None: ...
    def give_up(self, work: Work) -> bool: ...
    @property
    def done(self) -> int: ...
    def run(self, slot: Slot) -> tuple[int, Outcome]: ...

class PoolTurns(Turns):
    def __init__(
        self, runner: HandlerRunner, counters: Counters, send_buffer: int, send_queue: SendQueue, ready: ReadyQueue
    ) -> None: ...

class InlineTurns(Turns):
    def __init__(self, runner: HandlerRunner, counters: Counters, send_buffer: int) -> None: ...

class Loop:
    def __init__(
        self,
        ready: ReadyQueue,
        backlog: Backlog,
        engine: Engine,
        turns: PoolTurns,
        hand_back: Callable[[Slot], None],
    ) -> None: ...
    def run(self) -> None: ...
