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
    BrokenStreamError,
    Late,
    Moving,
    ParcelStream,
    Refused,
    Taken,
)
from commscaffoldd.worker.handover.reasons import NO_ANSWER, NO_RECEIVER, TOO_LONG

WINDOW: Final = 16  # connections on their way to one worker at the same time: so few clients wait at once
STALLED: Final = 0.05  # seconds in which most are ready; who takes longer, since a handler runs, holds nobody else up
TELL: Final = 0.5  # seconds between two reports
PATIENCE: Final = 2.0  # seconds for a worker to answer, or to read on; then what it has not answered is called back


class Lane(Struct, eq=False):
    """The way to one other worker.

    Attributes:
        stream: to it.
        waiting: whom it shall get, in this order.
        preparing: who is being made ready, and since when.
        sent: by serial; the other worker has not answered yet.
        lively: when it has answered, or read, or was first sent something; monotonic.
        read: bytes that it had been sent then.
    """

    stream: ParcelStream
    waiting: deque[Slot] = field(default_factory=deque)
    preparing: dict[Slot, float] = field(default_factory=dict)
    sent: dict[int, Departing] = field(default_factory=dict)
    lively: float = 0.0
    read: int = 0

    @property
    def under_way(self) -> int:
        """How many are being made ready, or have not been answered."""
        return len(self.preparing) + len(self.sent)

    @property
    def busy(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.waiting or self.under_way or self.stream.unsent)

    def is_silent(self, now: float) -> bool:
        """Whether the other worker should have said or read something for long: it hangs, or has been stopped."""
        if not self.sent and not self.stream.unsent:
            self.lively = now
        if self.stream.sent != self.read:
            self.read, self.lively = self.stream.sent, now
        return now - self.lively >= PATIENCE

    def has_room(self, now: float) -> bool:
        """Whether one more may begin."""
        return len(self.sent) + sum(now - began < STALLED for began in self.preparing.values()) < WINDOW


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

    def hurry(self) -> None:
        """The time is over: something else is more important."""
        self._deadline = min(self._deadline, time.monotonic())

    def step(self) -> bool:
        """Go on; give whether there is more to do."""
        now = time.monotonic()
        for lane in list(self._lanes):
            self._listen(lane)
            if lane.stream.ended or lane.stream.deaf or lane.is_silent(now):
                self._lose(lane, now)
        if now >= self._deadline:
            self._give_up()
        for lane in self._lanes:
            self._fill(lane, now)
        for result in self._departures.step():
            self._take(result)
        for lane in self._lanes:
            lane.stream.flush()
        done = not any(lane.busy for lane in self._lanes)
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

    def _fill(self, lane: Lane, now: float) -> None:
        while lane.waiting and lane.has_room(now):
            slot = lane.waiting.popleft()
            if self._departures.begin(slot) is not None:
                lane.preparing[slot] = now
                self._lane_of[slot] = lane

    def _take(self, result: Prepared | Kept) -> None:
        slot = result.departing.slot
        lane = self._lane_of.pop(slot)
        lane.preparing.pop(slot, None)
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
        if answers:
            lane.lively = time.monotonic()
        for answer, _ in answers:
            if isinstance(answer, Taken):
                self._confirm(lane, answer.serial)
            elif isinstance(answer, Refused):
                self._departures.cancel(lane.sent.pop(answer.serial))
                self._kept[answer.reason] += 1

    def _confirm(self, lane: Lane, serial: int) -> None:
        departing = lane.sent.pop(serial)
        late = self._departures.confirm(departing)
        if late or departing.close:
            lane.stream.send(Late(serial, late, departing.close))
        self._moved += 1

    def _lose(self, lane: Lane, now: float) -> None:
        """The other worker has died, or does not answer: whom it has not taken goes to the others, or stays."""
        self._lanes.remove(lane)
        lane.stream.recall()
        self._listen(lane)
        lane.stream.close()
        for departing in lane.sent.values():
            self._departures.cancel(departing)
            lane.waiting.append(departing.slot)
        for slot in lane.preparing:
            if self._departures.withdraw(slot):
                lane.waiting.append(slot)
            self._lane_of.pop(slot, None)
        staying = [slot for slot in lane.waiting if slot.connection is not None]
        if now < self._deadline:
            self._spread(staying)
        elif staying:
            self._kept[NO_ANSWER] += len(staying)

    def _give_up(self) -> None:
        """Who has been sent has a little more time to be answered; all others stay."""
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
