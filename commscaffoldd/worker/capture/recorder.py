"""The recorder: a tap that makes records of what passes, into a bounded queue. It never waits for who takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from commscaffoldd.capture.filter import CaptureFilter, answered_id, low_ids, peer_matcher
from commscaffoldd.capture.records import Closed, Known, Lost, Received, Record, Sent
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.slot import Reply, Slot

QUEUE: Final = 16 << 20
"""Bytes of records that may wait in a worker."""
_OVERHEAD: Final = 256  # bytes that a record takes beside its body, about


class Recorder:
    """See `core.tap.Tap`. Any thread may call any method."""

    def __init__(self, wanted: CaptureFilter, worker: int, limit: int = QUEUE) -> None:
        """A recorder.

        Args:
            wanted: what to record.
            worker: this worker's number.
            limit: bytes of records that may wait; above it, records are counted instead.
        """
        self._worker = worker
        self._limit = limit
        self._ids = frozenset(wanted.ids)
        self._answered = low_ids(wanted.ids)
        self._in, self._out = wanted.direction != "out", wanted.direction != "in"
        self._matches = peer_matcher(wanted.peer)
        self._lock = threading.Lock()  # of all below; held for a batch, and never while anything is waited for
        self._records: list[Record] = []
        self._waiting = 0  # bytes of those, and of `_taken`
        self._taken = 0
        self._lost = 0
        self._peers: dict[str, bool] = {}  # connections met so far: whether their records are wanted
        self._known: set[str] = set()  # those of them of which there is a record

    # -- the path's threads --------------------------------------------------------------------------------

    def opened(self, slot: Slot, connection: Connection) -> None:
        """A client has connected."""
        with self._lock:
            # With a filter by ID only connections are of interest that such a message comes by.
            if not self._ids and self._is_wanted(connection):
                self._introduce(slot, connection, time.monotonic_ns(), opened=True)

    def received(self, arrived: Sequence[tuple[Slot, Connection, list[Frame]]]) -> None:
        """Messages have come."""
        if not self._in:
            return
        now = time.monotonic_ns()
        with self._lock:
            for slot, connection, frames in arrived:
                if self._is_wanted(connection):
                    self._add_received(slot, connection, frames, now)

    def sent(self, slot: Slot, connection: Connection | None, replies: Sequence[Reply]) -> None:
        """Messages leave."""
        if not self._out or connection is None:
            return
        now = time.monotonic_ns()
        with self._lock:
            if self._is_wanted(connection):
                self._add_sent(slot, connection, self._among(slot, replies), now)

    def closed(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        with self._lock:
            self._peers.pop(connection.id, None)
            if connection.id in self._known:
                self._known.discard(connection.id)
                self._put(Closed(time.monotonic_ns(), connection.id, reason), 0)

    # -- the pump's thread ---------------------------------------------------------------------------------

    def take(self) -> list[Record]:
        """All records that wait; the last one says how many did not find room, if there were any.

        Those that were taken before have been sent: until now they take room, too.
        """
        with self._lock:
            records, self._records = self._records, []
            self._waiting -= self._taken
            self._taken = self._waiting
            if self._lost:
                records.append(Lost(time.monotonic_ns(), self._worker, self._lost))
                self._lost = 0
        return records

    # -- with the lock held --------------------------------------------------------------------------------

    def _is_wanted(self, connection: Connection) -> bool:
        wanted = self._peers.get(connection.id)
        if wanted is None:
            wanted = self._peers[connection.id] = self._matches(connection.peer)
        return wanted

    def _introduce(self, slot: Slot, connection: Connection, now: int, *, opened: bool) -> None:
        endpoint = slot.endpoint
        layout = "" if endpoint is None else endpoint.layout.name
        known = Known(now, connection.id, connection.peer, connection.listen, layout, opened)
        if self._put(known, 0):
            self._known.add(connection.id)

    def _add_received(self, slot: Slot, connection: Connection, frames: Iterable[Frame], now: int) -> None:
        name, ids = connection.id, self._ids
        for message_id, sequence, body in frames:
            if not ids or message_id in ids:
                if name not in self._known:
                    self._introduce(slot, connection, now, opened=False)
                self._put(Received(now, name, message_id, sequence, body), len(body))

    def _among(self, slot: Slot, replies: Sequence[Reply]) -> Sequence[Reply]:
        """Those of the messages whose ID is wanted."""
        endpoint = slot.endpoint
        if not self._ids or endpoint is None:
            return replies
        error_id, wanted = endpoint.error_id, self._answered
        return [one for one in replies if answered_id(one[0], one[2], error_id) in wanted]

    def _add_sent(self, slot: Slot, connection: Connection, replies: Sequence[Reply], now: int) -> None:
        name = connection.id
        for message_id, sequence, body in replies:
            if name not in self._known:
                self._introduce(slot, connection, now, opened=False)
            self._put(Sent(now, name, message_id, sequence, body), len(body))

    def _put(self, record: Record, size: int) -> bool:
        size += _OVERHEAD
        if self._waiting + size > self._limit:
            self._lost += 1
            return False
        self._waiting += size
        self._records.append(record)
        return True
