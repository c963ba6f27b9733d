"""The old worker's side: lets its connections go, a few at a time, and keeps those that cannot go."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, field

from commscaffoldd.core.departures import Departing, Departures, Kept, Prepared
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.slot import Slot
from commscaffoldd.worker.handover.arriving import describe_layout
from commscaffoldd.worker.handover.parcels import (
    NO_RECEIVER,
    BrokenStreamError,
    Late,
    Moving,
    ParcelStream,
    Refused,
    Taken,
)

WINDOW: Final = 16  # connections on their way to one worker at the same time: so few clients wait at once
TELL: Final = 0.5  # seconds between two reports

TOO_LONG: Final = "a handler was still running when the time was over"


class Lane(Struct, eq=False):
    """The way to one other worker.

    Attributes:
        stream: to it.
        waiting: whom it shall get, in this order.
        preparing: who is being made ready.
        sent: by serial; the other worker has not answered yet.
    """

    stream: ParcelStream
    waiting: deque[Slot] = field(default_factory=deque)
    preparing: set[Slot] = field(default_factory=set)
    sent: dict[int, Departing] = field(default_factory=dict)

    @property
    def under_way(self) -> int:
        """How many are being made ready, or have not been answered."""
        return len(self.preparing) + len(self.sent)


class Report(Struct):
    """How far a handover is.

    Attributes:
        moved: connections that another worker has.
        left: connections that shall still go.
        kept: how many stay, by reason.
        done: nothing more happens.
    """

    moved: int
    left: int
    kept: dict[str, int]
    done: bool


class Leaving:
    """One handover. `step` is called in each of the reactor's turns."""

    def __init__(
        self,
        departures: Departures,
        engine: Engine,
        streams: Iterable[ParcelStream],
        slots: Iterable[Slot],
        timeout: float,
        report: Callable[[Report], None],
    ) -> None:
        """A handover of these slots' connections, spread evenly over the streams.

        Args:
            departures: makes connections ready.
            engine: has the slots.
            streams: one to each receiving worker.
            slots: whose connections shall go.
            timeout: seconds, after which who is not ready stays.
            report: is told now and then how far it is, and at the end.
        """
        self._departures = departures
        self._engine = engine
        self._lanes = [Lane(stream) for stream in streams]
        self._deadline = time.monotonic() + timeout
        self._report = report
        self._next_report = 0.0
        self._serial = 0
        self._moved = 0
        self._kept: Counter[str] = Counter()
        self._lane_of: dict[Slot, Lane] = {}
        self._spread(slots)

    def step(self) -> bool:
        """Go on; give whether there is more to do."""
        now = time.monotonic()
        for lane in list(self._lanes):
            self._listen(lane)
            if lane.stream.ended:
                self._lose(lane)
        if now >= self._deadline:
            self._give_up()
        for lane in self._lanes:
            self._fill(lane)
        for result in self._departures.step():
            self._take(result)
        for lane in self._lanes:
            lane.stream.flush()
        done = not any(lane.waiting or lane.under_way for lane in self._lanes)
        if done or now >= self._next_report:
            self._next_report = now + TELL
            self._tell(done=done)
        if done:
            for lane in self._lanes:
                lane.stream.close()
        return not done

    def _spread(self, slots: Iterable[Slot]) -> None:
        for number, slot in enumerate(slots):
            if self._lanes:
                self._lanes[number % len(self._lanes)].waiting.append(slot)
            else:
                self._kept[NO_RECEIVER] += 1

    def _fill(self, lane: Lane) -> None:
        while lane.waiting and lane.under_way < WINDOW:
            slot = lane.waiting.popleft()
            if self._departures.begin(slot) is not None:
                lane.preparing.add(slot)
                self._lane_of[slot] = lane

    def _take(self, result: Prepared | Kept) -> None:
        slot = result.departing.slot
        lane = self._lane_of.pop(slot)
        lane.preparing.discard(slot)
        if isinstance(result, Kept):
            if result.reason:
                self._kept[result.reason] += 1
            return
        endpoint = slot.endpoint
        assert endpoint is not None, "a connection has an endpoint"
        self._serial += 1
        lane.sent[self._serial] = result.departing
        lane.stream.send(
            Moving(self._serial, result.departing.connection.listen, describe_layout(endpoint), result.state),
            result.fd,
        )

    def _listen(self, lane: Lane) -> None:
        try:
            answers = lane.stream.receive()
        except BrokenStreamError:
            lane.stream.ended = True
            return
        for answer, _ in answers:
            if isinstance(answer, Taken):
                self._confirm(lane, answer.serial)
            elif isinstance(answer, Refused):
                self._departures.cancel(lane.sent.pop(answer.serial))
                self._kept[answer.reason] += 1

    def _confirm(self, lane: Lane, serial: int) -> None:
        departing = lane.sent.pop(serial)
        late = self._departures.confirm(departing)
        close = departing.slot.end_reason
        if late or close:
            lane.stream.send(Late(serial, late, close))
        self._moved += 1

    def _lose(self, lane: Lane) -> None:
        """The other worker has died: whom it has not taken goes to the others, or stays."""
        self._lanes.remove(lane)
        lane.stream.close()
        for departing in lane.sent.values():
            self._departures.cancel(departing)
            lane.waiting.append(departing.slot)
        for slot in lane.preparing:
            departing_slot = self._departures.withdraw(slot)
            if departing_slot:
                lane.waiting.append(slot)
            self._lane_of.pop(slot, None)
        self._spread(slot for slot in lane.waiting if slot.connection is not None)

    def _give_up(self) -> None:
        """Who has been sent must be answered, whatever the time; all others stay."""
        for lane in self._lanes:
            for slot in lane.preparing:
                if self._departures.withdraw(slot):
                    self._kept[TOO_LONG] += 1
                self._lane_of.pop(slot, None)
            lane.preparing.clear()
            if lane.waiting:
                self._kept[TOO_LONG] += len(lane.waiting)
                lane.waiting.clear()

    def _tell(self, *, done: bool) -> None:
        left = sum(len(lane.waiting) + lane.under_way for lane in self._lanes)
        self._report(Report(self._moved, left, dict(self._kept), done))
