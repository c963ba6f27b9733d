"""The recorder: what becomes a record, what is filtered, what is counted because there is no room."""

from __future__ import annotations

from typing import Any, cast

import pytest

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.records import Closed, Known, Lost, Received, Sent
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.endpoint import Endpoint, encode_error
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.slot import Slot
from commscaffoldd.worker.capture.recorder import Recorder

ENDPOINT = Endpoint.make("127.0.0.1:9000", PRESETS["standard"], default_id=1, control_ids=False)


class Outlet:
    send_buffer = 1 << 20


@pytest.fixture
def slot() -> Slot:
    made = Slot(0, cast("Any", Outlet()))
    made.endpoint = ENDPOINT
    return made


def connection(slot: Slot, number: int = 0, peer: str = "192.0.2.7:4000") -> Connection:
    return Connection(slot, number, f"1.0.{number}", peer, ENDPOINT.address)


def names(recorder: Recorder) -> list[str]:
    return [type(one).__name__ for one in recorder.take()]


def test_a_connection_comes_before_its_messages(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(), 1)
    new, old = connection(slot, 1), connection(slot, 2)
    recorder.opened(slot, new)
    recorder.received([(slot, new, [(5, 7, b"a"), (5, 8, b"b")]), (slot, old, [(6, 1, b"c")])])
    recorder.sent(slot, new, [(5, 7, b"A")])
    recorder.closed(new, "peer closed")
    records = recorder.take()
    assert [type(one) for one in records] == [Known, Received, Received, Known, Received, Sent, Closed]
    first, second = (one for one in records if isinstance(one, Known))
    assert (first.connection, first.opened, first.layout) == ("1.0.1", True, "standard")
    assert (second.connection, second.opened, second.peer) == ("1.0.2", False, "192.0.2.7:4000")
    assert recorder.take() == []


def test_one_direction(slot: Slot) -> None:
    for direction, expected in (("in", ["Known", "Received"]), ("out", ["Known", "Sent"])):
        recorder = Recorder(CaptureFilter(direction=cast("Any", direction)), 1)
        recorder.received([(slot, connection(slot), [(5, 7, b"")])])
        recorder.sent(slot, connection(slot), [(5, 7, b"")])
        assert names(recorder) == expected


def test_ids_and_the_error_replies_to_them(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(ids=(5,)), 1)
    one, error_id = connection(slot), ENDPOINT.error_id
    assert error_id is not None
    recorder.opened(slot, one)
    recorder.received([(slot, one, [(6, 1, b"")])])
    assert recorder.take() == []
    recorder.received([(slot, one, [(5, 1, b""), (6, 2, b"")])])
    recorder.sent(slot, one, [(error_id, 1, encode_error(5, 3, "")), (error_id, 2, encode_error(6, 3, ""))])
    assert names(recorder) == ["Known", "Received", "Sent"]


def test_peers(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(peer="198.51.100.0/24"), 1)
    other, wanted = connection(slot, 1), connection(slot, 2, "198.51.100.9:1")
    for one in (other, wanted):
        recorder.opened(slot, one)
        recorder.received([(slot, one, [(5, 1, b"")])])
        recorder.sent(slot, one, [(5, 1, b"")])
        recorder.closed(one, "x")
    assert names(recorder) == ["Known", "Received", "Sent", "Closed"]


def test_what_finds_no_room_is_counted(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(), 3, limit=2000)
    one = connection(slot)
    recorder.received([(slot, one, [(5, number, bytes(400)) for number in range(10)])])
    records = recorder.take()
    assert [type(each) for each in records] == [Known, Received, Received, Lost]
    assert isinstance(records[-1], Lost)
    assert (records[-1].worker, records[-1].count) == (3, 8)
    recorder.received([(slot, one, [(5, 11, b"")])])
    assert names(recorder) == ["Received"]  # there is room again


def test_what_has_been_taken_takes_room_until_the_next_look(slot: Slot) -> None:
    recorder, one = Recorder(CaptureFilter(), 1, limit=2000), connection(slot)

    def message() -> list[str]:
        recorder.received([(slot, one, [(1, 1, bytes(1000))])])
        return names(recorder)

    assert message() == ["Known", "Received"]
    assert message() == ["Lost"]  # the first may still be on its way
    assert message() == ["Received"]


def test_a_connection_whose_introduction_found_no_room_is_introduced_later(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(), 1, limit=100)
    recorder.received([(slot, connection(slot), [(5, 1, b"")])])
    assert names(recorder) == ["Lost"]
    recorder._limit = 10_000
    recorder.received([(slot, connection(slot), [(5, 1, b"")])])
    assert names(recorder) == ["Known", "Received"]


def test_what_is_sent_once_the_connection_has_gone_is_nobodys(slot: Slot) -> None:
    recorder = Recorder(CaptureFilter(), 1)
    recorder.sent(slot, None, [(5, 1, b"")])
    assert recorder.take() == []
