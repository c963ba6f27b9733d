"""The pump: records come to the other end of the socket, and it ends when that does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.records import Joined, Record
from commscaffoldd.capture.splitter import RecordSplitter
from commscaffoldd.worker.capture.pump import Pump
from commscaffoldd.worker.capture.recorder import Recorder
from tests.worker.capture.test_recorder import connection, slot

__all__ = ["slot"]


class Rig:
    def __init__(self, limit: int = 1 << 20) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(10)
        self.recorder = Recorder(CaptureFilter(), 1, limit)
        self.untapped = threading.Event()
        self.pump = Pump(self.recorder, theirs, Joined(1, 1, 4711), self.untapped.set)
        self.pump.start()

    def rest(self) -> list[Record]:
        """All records until the pump's end is closed."""
        splitter = RecordSplitter()
        found: list[Record] = []
        while piece := self.ours.recv(65536):
            found += [record for record, _ in splitter.feed(piece)]
        assert splitter.pending == 0
        return found

    def record(self, slot: object, *bodies: bytes) -> None:
        self.recorder.received([(slot, connection(slot), [(5, 1, body) for body in bodies])])  # type: ignore[arg-type,list-item]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.ours.close()
    assert made.untapped.wait(10)


def test_what_was_recorded_comes_after_the_other_end_was_shut(rig: Rig, slot: object) -> None:
    rig.record(slot, b"one", bytes(200_000))
    rig.ours.shutdown(socket.SHUT_WR)
    names = [type(one).__name__ for one in rig.rest()]
    assert names == ["Joined", "Known", "Received", "Received"]
    assert rig.untapped.is_set()


def test_it_ends_when_nobody_reads_any_more(rig: Rig) -> None:
    rig.ours.close()
    assert rig.untapped.wait(10)


def test_a_worker_that_stops_sends_what_it_has(rig: Rig, slot: object) -> None:
    rig.record(slot, b"last")
    rig.pump.stop(10)
    assert len(rig.rest()) == 3
