from collections.abc import Callable, Iterable

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.native.slot import NativeSlot
from commscaffoldd.core.native.wire import Wire
from commscaffoldd.core.slot import Slot

# Slots are of the native kind here: see slot.pyi.

class Writer:
    def __init__(
        self, wire: Wire, landed: Callable[[Iterable[NativeSlot], Iterable[tuple[NativeSlot, int]]], None]
    ) -> None: ...
    def write(self, slots: list[Slot], counters: Counters) -> list[NativeSlot]: ...
    def launch(self, slots: list[Slot]) -> list[NativeSlot]: ...
    def fly(self) -> None: ...
    def land(self, counters: Counters) -> list[NativeSlot]: ...
