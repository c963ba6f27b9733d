"""Framing: the same frames for any split, and an answer for any bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commscaffoldd.core.framing import Frame, FrameError, FrameReader
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.core.layouts import layouts, message, pieces

MAX_BODY = 70
DEFAULT_ID = 77
STANDARD = PRESETS["standard"]


def read(layout: Layout, parts: list[bytes], **options: Any) -> tuple[list[Frame], FrameError | None]:
    """What a reader makes of a stream that comes in these parts."""
    reader = FrameReader(layout, options.pop("max_body", MAX_BODY), default_id=DEFAULT_ID, **options)
    frames: list[Frame] = []
    error = None
    for part in parts:
        more, error = reader.feed(part)
        frames += more
        assert reader.buffered < layout.header_size + MAX_BODY
    return frames, error


@given(st.data())
def test_the_same_messages_come_out_for_any_split(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    if layout.min_body > MAX_BODY:
        return
    messages = data.draw(st.lists(message(layout, DEFAULT_ID, MAX_BODY), max_size=6))
    stream = b"".join(layout.encode(*one) for one in messages)
    assert read(layout, [stream]) == (messages, None)
    assert read(layout, [bytes([byte]) for byte in stream]) == (messages, None)
    cuts = data.draw(st.lists(st.integers(0, 1 << 16), max_size=8))
    assert read(layout, pieces(stream, cuts)) == (messages, None)


@given(st.data())
def test_any_bytes_give_messages_or_an_error_and_little_is_kept(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    stream = data.draw(st.binary(max_size=600))
    drop = data.draw(st.booleans())
    whole = read(layout, [stream], drop_bad_checksums=drop)
    assert read(layout, [bytes([byte]) for byte in stream], drop_bad_checksums=drop) == whole
    assert read(layout, pieces(stream, data.draw(st.lists(st.integers(0, 600)))), drop_bad_checksums=drop) == whole
    assert all(len(body) <= MAX_BODY for _, _, body in whole[0])


@given(st.data())
def test_a_damaged_stream_gives_the_same_for_any_split(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    if layout.min_body > MAX_BODY:
        return
    messages = data.draw(st.lists(message(layout, DEFAULT_ID, MAX_BODY), min_size=1, max_size=6))
    stream = bytearray(b"".join(layout.encode(*one) for one in messages))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = bytes(stream)
    cuts = data.draw(st.lists(st.integers(0, 1 << 16), max_size=8))
    assert read(layout, pieces(damaged, cuts)) == read(layout, [damaged])


class Reading(RuleBasedStateMachine):
    """A sender that writes frames, good and bad, and a reader that gets them in pieces of any size."""

    @initialize(layout=layouts())
    def begin(self, layout: Layout) -> None:
        self.layout = layout
        self.reader = FrameReader(layout, MAX_BODY, default_id=DEFAULT_ID, drop_bad_checksums=True)
        self.wire = b""
        self.expected: list[Frame] = []
        self.got: list[Frame] = []
        self.dropped = 0

    @precondition(lambda self: self.layout.min_body <= MAX_BODY)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        one = data.draw(message(self.layout, DEFAULT_ID, MAX_BODY))
        self.wire += self.layout.encode(*one)
        self.expected.append(one)

    @precondition(lambda self: self.layout.has_crc and self.layout.min_body <= MAX_BODY)
    @rule(data=st.data())
    def write_with_a_wrong_checksum(self, data: st.DataObject) -> None:
        identity, sequence, body = data.draw(message(self.layout, DEFAULT_ID, MAX_BODY))
        if body:
            self.wire += self.layout.encode(identity, sequence, body)[: -len(body)] + bytes([body[0] ^ 1]) + body[1:]
            self.dropped += 1

    @rule(size=st.integers(0, 200))
    def carry(self, size: int) -> None:
        part, self.wire = self.wire[:size], self.wire[size:]
        frames, error = self.reader.feed(part)
        assert error is None
        self.got += frames

    @invariant()
    def what_came_is_what_was_sent(self) -> None:
        assert self.got == self.expected[: len(self.got)]
        assert self.reader.buffered < self.layout.header_size + MAX_BODY
        if not self.wire:
            assert self.reader.buffered == 0

    def teardown(self) -> None:
        if hasattr(self, "wire"):
            self.carry(len(self.wire))
            assert self.got == self.expected
            assert self.reader.dropped == self.dropped


TestReading = Reading.TestCase


def test_compact_as_its_older_servers_and_clients_write_it() -> None:
    stream = bytes.fromhex("000d0005c1446436") + b"HELLO"
    assert read(PRESETS["compact"], [stream]) == ([(5, 0, b"HELLO")], None)


def test_a_length_above_max_body_is_an_error_before_any_of_the_body() -> None:
    frames, error = read(STANDARD, [STANDARD.encode(1, 2, b"ok"), STANDARD.encode(1, 3, bytes(71))[:16]])
    assert frames == [(1, 2, b"ok")]
    assert error == FrameError("length", "length 71 means a body of 71 bytes, above max_body = 70")


def test_a_length_below_the_header_is_an_error() -> None:
    frames, error = read(PRESETS["compact"], [bytes.fromhex("0007000500000000")])
    assert frames == []
    assert error == FrameError("length", "length 7 is below the header's own size")


def test_a_wrong_magic_is_an_error() -> None:
    layout = Layout.from_spec("mine", LayoutSpec(("magic:u16=0xCAFE", "length:u8")))
    _, error = read(layout, [b"\xca\xff\x00"])
    assert error == FrameError("magic", "0xcaff where 0xcafe must stand")


def test_a_wrong_checksum_is_an_error_that_shows_both() -> None:
    _, error = read(PRESETS["compact"], [bytes.fromhex("000d000500000001") + b"HELLO"])
    assert error == FrameError("checksum", "crc32 0x00000001 in the header, 0xc1446436 of the body")


def test_after_an_error_nothing_is_taken_any_more() -> None:
    reader = FrameReader(STANDARD, MAX_BODY)
    _, error = reader.feed(b"\xff" * 16)
    assert error is not None
    assert reader.feed(STANDARD.encode(1, 1, b"good")) == ([], error)
    assert reader.buffered == 0


@pytest.mark.parametrize("name", ["workerman", "erlang"])
def test_without_an_id_the_default_id_is_taken(name: str) -> None:
    assert read(PRESETS[name], [PRESETS[name].encode(0, 0, b"x")]) == ([(DEFAULT_ID, 0, b"x")], None)


def test_a_large_body_that_comes_byte_by_byte_is_not_cut_again_for_each_byte() -> None:
    """The time is linear: what is kept is looked at again only once enough has come."""
    reader = FrameReader(STANDARD, 1 << 20)
    body = bytes(200_000)
    stream = STANDARD.encode(1, 1, body)
    looks = 0

    def count(buffer: bytes, offset: int) -> tuple[Any, ...]:
        nonlocal looks
        looks += 1
        return STANDARD.unpack_from(buffer, offset)

    layout = Layout.from_spec("counting", STANDARD.spec)
    layout.unpack_from = count
    reader = FrameReader(layout, 1 << 20)
    frames: list[Frame] = []
    for start in range(0, len(stream), 10):
        frames += reader.feed(stream[start : start + 10])[0]
    assert frames == [(1, 1, body)]
    assert looks <= 2
