"""What a replay is to do, and what comes of it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from commscaffoldd.capture.recording import Recording
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import Layout

MAX_KEPT: Final = 100
"""Differences and failures that a result names; more are counted."""


class ReplayPlan(Struct, frozen=True):
    """What to play, where, and how.

    Attributes:
        address: where to.
        layout: what is spoken there.
        recording: what to play.
        speed: 1 as it was recorded, 2 twice as fast; 0: as fast as it is taken.
        connections: how many may be open at the same time.
        timeout: seconds of silence after which replies are not waited for any longer; also for connecting.
        default_id: the message ID of what comes back, where the layout has none.
    """

    address: Address
    layout: Layout
    recording: Recording
    speed: float = 1.0
    connections: int = 1000
    timeout: float = 5.0
    default_id: int = 1


class Difference(Struct, frozen=True):
    """A request that was answered otherwise than when it was recorded.

    Attributes:
        record: the request's number in the capture.
        connection: the recorded connection's ID.
        id, sequence: the request's.
        recorded, got: the replies' bodies, those of error replies among them.
    """

    record: int
    connection: str
    id: int
    sequence: int
    recorded: tuple[bytes, ...]
    got: tuple[bytes, ...]


class ReplayResult(Struct):
    """What came of it.

    Attributes:
        connections: how many were opened.
        messages: how many were sent.
        replies: how many answers came, error replies among them.
        pushes: other messages that came.
        errors: error replies by code; 0: with a body that is none.
        recorded_errors: how many error replies the capture has.
        missing: requests that were answered when recorded, and now were not.
        different: requests that were answered otherwise.
        differences: the first of these, the missing among them.
        failed: connections that could not be opened, or ended early.
        failures: the first of these, in words.
        seconds: how long it took.
        interrupted: whether it was ended before its end.
    """

    connections: int = 0
    messages: int = 0
    replies: int = 0
    pushes: int = 0
    errors: dict[int, int] = field(default_factory=dict)
    recorded_errors: int = 0
    missing: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def fail(self, text: str) -> None:
        """A connection has failed."""
        self.failed += 1
        if len(self.failures) < MAX_KEPT:
            self.failures.append(text)

    def differ(self, difference: Difference) -> None:
        """A request was answered otherwise, or not at all."""
        if difference.got:
            self.different += 1
        else:
            self.missing += 1
        if len(self.differences) < MAX_KEPT:
            self.differences.append(difference)
