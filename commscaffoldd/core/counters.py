"""Everything that is counted, in one place.

A thread counts in a `Counters` of its own (plain integers, no lock); the worker's reactor adds them up a few
times a second and publishes them to its row of the `Statistics`, memory that the master maps before it forks.
So the master reads a worker's numbers without asking it, and they outlive a worker that is killed: what is
lost is at most what was counted since the last publication.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Final

COUNTERS: Final = (
    "accepted",  # connections accepted
    "closed",  # connections closed, for whatever reason
    "handed_over",  # connections given to another worker
    "adopted",  # connections taken over from another worker
    "messages_in",  # messages cut out of the streams, heartbeats among them
    "messages_out",  # replies, pushes, heartbeats and error replies handed to a socket
    "bytes_in",
    "bytes_out",
    "polls",  # batches: returns of the engine's poll with at least one event
    "sends",  # system calls that sent; messages_out / sends is the size of a batch
    "heartbeats",  # heartbeats answered
    "bad_frames",  # connections closed for a frame that cannot be: length, magic
    "bad_checksums",  # frames dropped, or connections closed, for a wrong checksum
    "unknown_ids",  # messages without a handler
    "handler_errors",  # handlers that raised or returned a wrong type
    "handler_timeouts",  # handlers that ran longer than their timeout
    "quarantined",  # messages refused because their message ID was quarantined
    "frame_timeouts",  # connections closed with a frame begun and not finished in time
    "silent_peers",  # connections closed by the heartbeat watchdog
    "login_timeouts",  # connections closed because nobody had logged in by the deadline
    "login_refusals",  # messages refused because nobody had logged in
    "floods",  # connections closed for too many messages
    "slow_readers",  # connections closed for not reading
    "late_replies",  # replies whose connection had closed, or whose handler had timed out: they went nowhere
    "queue_full",  # times that reading paused because the business queue was full
    "accept_failures",  # times that accepting backed off: out of descriptors or memory
)
GAUGES: Final = (
    "connections",  # open now
    "slots",  # slots of the connection pool, in use or not
    "cooling",  # closed connections whose slots wait for the recycler
    "queue",  # messages waiting for a pool thread
    "paused",  # connections that are not read from now
    "accepting",  # 1 while the worker accepts
    "turned_ns",  # CLOCK_MONOTONIC nanoseconds at the reactor's last publication
)
NAMES: Final = COUNTERS + GAUGES
_ROW_BYTES: Final = 8 * len(NAMES)


class Counters:
    """One thread's counters: an attribute for each name in `COUNTERS`. Written by that thread only."""

    __slots__ = COUNTERS

    accepted: int
    closed: int
    handed_over: int
    adopted: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    polls: int
    sends: int
    heartbeats: int
    bad_frames: int
    bad_checksums: int
    unknown_ids: int
    handler_errors: int
    handler_timeouts: int
    quarantined: int
    frame_timeouts: int
    silent_peers: int
    login_timeouts: int
    login_refusals: int
    floods: int
    slow_readers: int
    late_replies: int
    queue_full: int
    accept_failures: int

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)


class StatisticsRow:
    """A worker's row. Written by the worker's reactor, read by the master at any time."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def publish(self, counters: Iterable[Counters], gauges: dict[str, int]) -> None:
        """Write the sums of the threads' counters, and the gauges."""
        parts = tuple(counters)
        for index, name in enumerate(COUNTERS):
            self._cells[index] = sum(getattr(part, name) for part in parts)
        for index, name in enumerate(GAUGES, start=len(COUNTERS)):
            self._cells[index] = gauges.get(name, 0)

    def read(self) -> dict[str, int]:
        """The row by name."""
        return dict(zip(NAMES, self._cells, strict=True))

    def clear(self) -> None:
        """Set all to 0, before another worker gets the row."""
        for index in range(len(NAMES)):
            self._cells[index] = 0


class Statistics:
    """Rows of shared memory, made by the master before it forks."""

    def __init__(self, rows: int) -> None:
        self._memory = mmap.mmap(-1, rows * _ROW_BYTES)  # anonymous and shared: the same pages after fork
        self._cells = memoryview(self._memory).cast("Q")
        self.rows = rows

    def row(self, index: int) -> StatisticsRow:
        """The row with this index, from 0 to `rows` - 1."""
        width = len(NAMES)
        return StatisticsRow(self._cells[index * width : (index + 1) * width])
