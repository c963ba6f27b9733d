"""The connection pool: slots made at start, more when needed, used again only after a delay."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from commscaffoldd.core.slot import Outlet, Slot, State

COOLING_SHARE = 2  # times `maximum`: with more slots than that, a cooling one is used before its time


class ConnectionPool:
    """All slots of a worker.

    The reactor takes slots and gives closed ones back; the recycler makes those free again when their delay is
    over. The delay is for people (a slot's number in the log means one client for a while); that a late
    reply cannot reach a slot's next client is the generation's doing, whatever the delay.

    The number of slots is bounded: at most `maximum` in use, and at most as many again cooling; when
    clients come and go so fast that more would cool, the oldest is used again before its time.
    """

    def __init__(
        self,
        initial: int,
        maximum: int,
        recycle_delay: float,
        outlet: Outlet,
        make_slot: Callable[[int, Outlet], Slot] = Slot,
    ) -> None:
        """Make `initial` slots. `recycle_delay` is in seconds."""
        self._make_slot = make_slot
        self._maximum = maximum
        self._delay = recycle_delay
        self._outlet = outlet
        self._free: deque[Slot] = deque(make_slot(index, outlet) for index in range(initial))
        self._cooling: deque[tuple[float, Slot]] = deque()  # when it may be used again, and the slot
        self._lock = threading.Lock()  # of _cooling
        self._made = initial
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """Open connections, draining ones among them."""
        return self._in_use

    @property
    def room(self) -> int:
        """How many more connections may be opened now."""
        return self._maximum - self._in_use

    @property
    def made(self) -> int:
        """Slots made so far, free ones and cooling ones among them."""
        return self._made

    @property
    def cooling(self) -> int:
        """Closed connections whose slots wait for the recycler."""
        return len(self._cooling)

    def take(self) -> Slot:
        """A free slot. The reactor calls it, and has looked at `room` before."""
        self._in_use += 1
        try:
            return self._free.popleft()
        except IndexError:
            pass
        if self._made >= self._maximum * COOLING_SHARE and (slot := self._oldest_idle()) is not None:
            slot.state = State.FREE
            return slot
        self._made += 1
        return self._make_slot(self._made - 1, self._outlet)

    def give_back(self, slot: Slot, now: float) -> None:
        """Let a closed slot cool. The reactor calls it."""
        self._in_use -= 1
        slot.state = State.COOLING
        with self._lock:
            self._cooling.append((now + self._delay, slot))

    def recycle(self, now: float) -> float:
        """Free the slots whose delay is over; the recycler thread calls it.

        Returns:
            Seconds until the next one is due; the whole delay if none is cooling.
        """
        with self._lock:
            for _ in range(len(self._cooling)):
                due, slot = self._cooling[0]
                if due > now:
                    return due - now
                self._cooling.popleft()
                if slot.idle:
                    slot.state = State.FREE
                    self._free.append(slot)
                else:  # a handler of its last connection still runs: it would hold up the next one's messages
                    self._cooling.append((now + self._delay, slot))
        return self._delay

    def _oldest_idle(self) -> Slot | None:
        with self._lock:
            for _ in range(len(self._cooling)):
                due, slot = self._cooling.popleft()
                if slot.idle:
                    return slot
                self._cooling.append((due, slot))
        return None
