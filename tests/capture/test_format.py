"""The format: what is written is read again, and what is damaged is read up to the damage."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.reader import CaptureReader
from commscaffoldd.capture.recording import load_recording
from commscaffoldd.capture.records import (
    LENGTH,
    MAGIC,
    START,
    VERSION,
    Closed,
    End,
    Header,
    Joined,
    Known,
    Lost,
    Received,
    Record,
    Sent,
    append_record,
)
from commscaffoldd.capture.splitter import RecordSplitter
from commscaffoldd.capture.writer import CaptureWriter
from commscaffoldd.cli.capture_text import show
from commscaffoldd.cli.failure import Failure
from commscaffoldd.core.layout import PRESETS
from tests.capture.examples import ECHO, HEADER, write_capture

TIMES = st.integers(0, 2**63 - 1)
NUMBERS = st.integers(0, 2**64 - 1)
TEXTS = st.text(max_size=40)
BODIES = st.binary(max_size=300)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Joined, TIMES, st.integers(0, 9999), st.integers(1, 2**22)),
    st.builds(Known, TIMES, TEXTS, TEXTS, TEXTS, TEXTS, opened=st.booleans()),
    st.builds(Received, TIMES, TEXTS, NUMBERS, NUMBERS, BODIES),
    st.builds(Sent, TIMES, TEXTS, NUMBERS, NUMBERS, BODIES),
    st.builds(Closed, TIMES, TEXTS, TEXTS),
    st.builds(Lost, TIMES, st.integers(0, 9999), NUMBERS),
    st.builds(End, TIMES, TEXTS, NUMBERS, NUMBERS),
)
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path) -> list[Record]:
    with CaptureReader(path) as capture:
        return list(capture)


ANY_NUMBERS = st.integers(-(2**63), 2**64 - 1)
NAMES = st.sampled_from(["a", "b", "\x1b[2J\n"])
LAYOUTS = st.fixed_dictionaries(
    {"fields": st.lists(st.sampled_from(["length:u32", "id:u32", "sequence:u64", "crc32:u32", "id:u99", ""]))},
    optional={"byte_order": st.sampled_from(["big", "little", "middle"]), "length_adjustment": ANY_NUMBERS},
)
HEADERS = st.tuples(
    st.just("header"),
    NAMES,
    st.floats(),
    ANY_NUMBERS,
    st.lists(st.tuples(NAMES, NAMES, LAYOUTS, ANY_NUMBERS, st.none() | ANY_NUMBERS), max_size=2),
    st.fixed_dictionaries({}, optional={"ids": st.lists(ANY_NUMBERS, max_size=2), "peer": NAMES, "direction": NAMES}),
)
ANYTHING = st.one_of(
    st.tuples(st.just("connection"), ANY_NUMBERS, NAMES, NAMES, NAMES, NAMES, st.booleans()),
    st.tuples(st.sampled_from(["in", "out"]), ANY_NUMBERS, NAMES, ANY_NUMBERS, ANY_NUMBERS, st.binary(max_size=9)),
    st.tuples(st.just("closed"), ANY_NUMBERS, NAMES, NAMES),
    st.tuples(st.sampled_from(["lost", "joined"]), ANY_NUMBERS, ANY_NUMBERS, ANY_NUMBERS),
    st.tuples(st.just("end"), ANY_NUMBERS, NAMES, ANY_NUMBERS, ANY_NUMBERS),
    st.lists(st.none() | st.floats() | NAMES, max_size=3),
)


@settings(MANY, max_examples=150)
@given(header=HEADERS, records=st.lists(ANYTHING, max_size=6))
def test_records_of_garbage_are_refused_in_words_and_control_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], header: object, records: list[object]
) -> None:
    path = tmp_path / "x.cap"
    encoded = [msgspec.msgpack.encode(record) for record in (header, *records)]
    path.write_bytes(START.pack(MAGIC, VERSION) + b"".join(LENGTH.pack(len(one)) + one for one in encoded))
    with contextlib.suppress(CaptureError):
        for recorded in load_recording(path).connections.values():
            for step in recorded.steps:
                with contextlib.suppress(ValueError):
                    PRESETS["standard"].encode(step.message.id, step.message.sequence, step.message.body)
    for as_json in (False, True):
        with contextlib.suppress(Failure):
            show(path, CaptureFilter(), as_json=as_json)
    assert "\x1b" not in capsys.readouterr().out


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    path, target = tmp_path / "x.cap", tmp_path / "target"
    os.mkfifo(path)
    with pytest.raises(FileExistsError):
        CaptureWriter(path, HEADER, replace=True)
    assert path.is_fifo()
    path.unlink()
    target.write_text("mine")
    path.symlink_to(target)
    CaptureWriter(path, HEADER, replace=True).close()
    assert (target.read_text(), path.is_symlink()) == ("mine", False)


@MANY
@given(records=st.lists(RECORDS, max_size=12))
def test_what_is_written_is_read_again(tmp_path: Path, records: list[Record]) -> None:
    path = tmp_path / "x.cap"
    path.unlink(missing_ok=True)
    with CaptureWriter(path, HEADER) as writer:
        for record in records:
            writer.append(record)
    with CaptureReader(path) as capture:
        assert capture.header == HEADER
        assert list(capture) == records
        assert (capture.cut_off, capture.describe_end()) == (0, "")
        assert capture.number == 1 + len(records)


@MANY
@given(data=st.data())
def test_a_file_that_was_cut_off_anywhere_gives_all_whole_records(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "cut.cap"
    path.unlink(missing_ok=True)
    whole = write_capture(path).read_bytes()
    shortest = START.size + LENGTH.size + LENGTH.unpack_from(whole, START.size)[0]
    path.write_bytes(whole[: data.draw(st.integers(shortest, len(whole)))])

    with CaptureReader(path) as capture:
        found = list(capture)

    assert tuple(found) == ECHO[: len(found)]
    left = path.stat().st_size - len(_encoded(*found))
    assert capture.cut_off == left
    assert (f"{left} bytes are no whole record; {1 + len(found)} records" in capture.describe_end()) == bool(left)


@MANY
@given(records=st.lists(RECORDS, min_size=1, max_size=8), step=st.integers(1, 100))
def test_a_stream_may_come_in_any_pieces(records: list[Record], step: int) -> None:
    stream = bytearray()
    for record in records:
        append_record(stream, record)
    splitter = RecordSplitter()
    found = [pair for at in range(0, len(stream), step) for pair in splitter.feed(bytes(stream[at : at + step]))]
    assert [record for record, _ in found] == records
    assert b"".join(whole for _, whole in found) == stream
    assert splitter.pending == 0


@MANY
@given(junk=st.binary(min_size=1, max_size=200))
def test_any_bytes_are_an_error_or_records_and_never_something_else(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "junk.cap"
    path.unlink(missing_ok=True)
    write_capture(path)
    with path.open("ab") as file:
        file.write(junk)
    with contextlib.suppress(CaptureError):
        read(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "this is no capture"),
        (b"GET / HTTP/1.1\r\n", "this is no capture"),
        (START.pack(b"CSCAP\r\n\x1a", 2), "a capture of version 2; this program reads version 1"),
        (START.pack(b"CSCAP\r\n\x1a", 1), "record 1 must be the header; it is not there"),
        (START.pack(b"CSCAP\r\n\x1a", 1)[:9], "cut off before its first record"),
        (START.pack(b"CSCAP\r\n\x1a", 1) + LENGTH.pack(0), "has a length of 0 bytes"),
        (START.pack(b"CSCAP\r\n\x1a", 1) + LENGTH.pack(2**31), "has a length of 2147483648 bytes"),
        (START.pack(b"CSCAP\r\n\x1a", 1) + LENGTH.pack(1) + b"\xc1", "record 1, 0 bytes after"),
    ],
)
def test_what_is_no_capture_is_said_so(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.cap"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=says) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_header_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "x.cap"
    data = bytearray(START.pack(b"CSCAP\r\n\x1a", 1))
    append_record(data, ECHO[0])
    path.write_bytes(data)
    with pytest.raises(CaptureError, match="record 1 must be the header; it is a joined"):
        CaptureReader(path)


def test_a_field_that_a_later_version_appends_is_left_out(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "x.cap")
    with path.open("ab") as file:
        later = b"\x95\xa6closed\x01\xa1c\xa1r\xa3new"  # one field more than a Closed has
        file.write(LENGTH.pack(len(later)) + later)
    assert read(path)[-1] == Closed(1, "c", "r")


def test_a_capture_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_capture(tmp_path / "x.cap")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "x.cap"
    path.write_text("mine")
    path.chmod(0o666)
    with pytest.raises(FileExistsError):
        CaptureWriter(path, HEADER)
    assert path.read_text() == "mine"
    with CaptureWriter(path, HEADER, replace=True):
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(path) == []


def test_a_full_disk_leaves_whole_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.cap"
    real = os.write
    with CaptureWriter(path, HEADER) as writer:
        writer.append(ECHO[0])

        def full(fd: int, data: memoryview) -> int:
            if len(data) <= 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(fd, data[: len(data) - 3])  # as a disk does: some of it still fits

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            writer.append(ECHO[1])
    assert caught.value.filename == str(path)
    assert read(path) == [ECHO[0]]


def test_times_become_times_of_day(tmp_path: Path) -> None:
    with CaptureReader(write_capture(tmp_path / "x.cap")) as capture:
        later = capture.time_of_day(HEADER.clock + 1_500_000_000)
    assert later.timestamp() == pytest.approx(HEADER.started + 1.5)


def test_a_header_says_all_that_reading_the_bodies_takes() -> None:
    spoken = HEADER.spoken[0]
    assert spoken.to_layout().encode(1, 7, b"hello")[16:] == b"hello"
    assert HEADER.filter == CaptureFilter()


def _encoded(*records: Record, header: Header = HEADER) -> bytes:
    data = bytearray(START.size)
    for record in (header, *records):
        append_record(data, record)
    return bytes(data)
