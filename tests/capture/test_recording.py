"""A capture as something that can be played."""

from __future__ import annotations

from pathlib import Path

import pytest

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.recording import UNKNOWN, load_recording
from commscaffoldd.capture.records import Closed, Known, Received, Sent
from tests.capture.examples import LISTEN, write_capture

TWO = (
    Known(10, "1.0.0", "192.0.2.7:4000", LISTEN, "standard", opened=True),
    Received(30, "1.0.0", 5, 2, b"second"),
    Received(20, "1.0.0", 5, 1, b"first"),  # another worker had it then
    Sent(40, "1.0.0", 5, 1, b"FIRST"),
    Sent(50, "1.0.0", 9, 0, b"push"),
    Received(25, "1.0.1", 6, 1, b"of one that is not known"),
    Closed(60, "1.0.0", "peer closed"),
)


def test_connections_with_what_they_sent_in_order_of_time(tmp_path: Path) -> None:
    recording = load_recording(write_capture(tmp_path / "x.cap", *TWO))
    first, second = recording.connections.values()
    assert [step.message.body for step in first.steps] == [b"first", b"second"]
    assert [step.number for step in first.steps] == [4, 3]
    assert [[one.body for one in step.replies] for step in first.steps] == [[b"FIRST"], []]
    assert (first.peer, first.replied, first.closed) == ("192.0.2.7:4000", True, TWO[-1])
    assert (second.peer, second.replied, second.closed) == (UNKNOWN, False, None)
    assert [step.message.time for _, step in recording.timeline()] == [20, 25, 30]
    assert (recording.messages, recording.note) == (3, "")


def test_filters(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "x.cap", *TWO)
    assert list(load_recording(path, ids=(6,)).connections) == ["1.0.1"]
    assert list(load_recording(path, peer="192.0.2.0/24").connections) == ["1.0.0"]
    assert list(load_recording(path, listen=LISTEN).connections) == ["1.0.0"]
    with pytest.raises(CaptureError, match="nothing in it that a client sent, and that is wanted"):
        load_recording(path, ids=(7,))


def test_a_capture_that_was_cut_off(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "x.cap", *TWO)
    path.write_bytes(path.read_bytes()[:-2])
    recording = load_recording(path)
    assert recording.messages == 3
    assert "was cut off" in recording.note
