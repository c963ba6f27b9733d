"""Cutting and encoding in C: the same as `FrameReader` and `Layout.encode`, whatever bytes come and however split."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core.framing import Frame, FrameError, FrameReader, bad_checksum, bad_length, bad_magic
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.core.layouts import layouts, message, pieces

frames = pytest.importorskip("commscaffoldd.core.native.frames")
header = pytest.importorskip("commscaffoldd.core.native.header")

MAX_BODY = 70
DEFAULT_ID = 77


class Both:
    """One stream, read by both; each step must give the same."""

    def __init__(self, layout: Layout, max_body: int = MAX_BODY, *, drop: bool = False) -> None:
        self.layout = layout
        self.max_body = max_body
        self.python = FrameReader(layout, max_body, default_id=DEFAULT_ID, drop_bad_checksums=drop)
        self.native = frames.Cutter(
            header.Header(layout, max_body=max_body, default_id=DEFAULT_ID, drop_bad_checksums=drop)
        )

    def feed(self, part: bytes) -> tuple[list[Frame], FrameError | None]:
        cut, fault = self.native.feed(part)
        result = cut, self.describe(fault)
        assert result == self.python.feed(part)
        assert self.native.buffered == self.python.buffered
        assert self.native.dropped == self.python.dropped
        return result

    def describe(self, fault: tuple[int, int, int] | None) -> FrameError | None:
        """A fault as `NativeEngine` tells it."""
        if fault is None:
            return None
        kind, found, expected = fault
        if kind == frames.Fault.BAD_MAGIC:
            return bad_magic(found, expected)
        if kind == frames.Fault.BAD_LENGTH:
            return bad_length(found, self.layout.body_offset, self.max_body)
        assert kind == frames.Fault.BAD_CHECKSUM
        return bad_checksum(found, expected)


@st.composite
def damaged(draw: Any, layout: Layout, max_body: int) -> bytes:
    """Frames, of which some have a byte changed, lost or added, and some are no frames at all."""
    parts = []
    largest = min(max_body + 3, layout.max_body)  # some above the limit
    fits = layout.min_body <= largest
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(("whole", "whole", "changed", "cut", "garbage"))) if fits else "garbage"
        if kind == "garbage":
            parts.append(draw(st.binary(max_size=40)))
            continue
        frame = bytearray(layout.encode(*draw(message(layout, DEFAULT_ID, largest))))
        place = draw(st.integers(0, len(frame) - 1))
        if kind == "changed":
            frame[place] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del frame[place : place + draw(st.integers(1, 4))]
        parts.append(bytes(frame))
    return b"".join(parts)


@given(st.data())
def test_any_stream_in_any_pieces_gives_the_same(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    max_body = data.draw(st.sampled_from((1, 2, MAX_BODY)))
    stream = data.draw(damaged(layout, max_body))
    both = Both(layout, max_body, drop=data.draw(st.booleans()))
    for part in pieces(stream, data.draw(st.lists(st.integers(0, 1 << 16), max_size=8))):
        both.feed(part)


@given(st.data())
def test_byte_by_byte_gives_the_same(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    both = Both(layout, drop=data.draw(st.booleans()))
    for byte in data.draw(damaged(layout, MAX_BODY)):
        both.feed(bytes([byte]))


@given(st.data())
def test_good_frames_come_out_as_they_went_in(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    if layout.min_body > MAX_BODY:
        return
    messages = data.draw(st.lists(message(layout, DEFAULT_ID, MAX_BODY), max_size=6))
    both = Both(layout)
    assert both.feed(b"".join(layout.encode(*one) for one in messages)) == (messages, None)


@given(st.data())
def test_what_follows_from_any_length_field(data: st.DataObject) -> None:
    """The widest lengths, around every limit: none may overflow, or be taken for a small one."""
    bits = data.draw(st.sampled_from((8, 16, 24, 32, 64)))
    spec = LayoutSpec(
        (f"length:u{bits}",),
        data.draw(st.sampled_from(("big", "little"))),
        data.draw(st.sampled_from(("body", "frame"))),
        data.draw(st.integers(-200, 200)),
    )
    layout = Layout.from_spec("mine", spec)
    near = st.integers(-3, 3)
    edges = [0, MAX_BODY - layout.body_offset, -layout.body_offset, *(1 << power for power in (8, 16, 24, 31, 32))]
    edges += [(1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) + layout.body_offset]
    length = (data.draw(st.sampled_from(edges)) + data.draw(near)) % (1 << bits)
    Both(layout).feed(length.to_bytes(bits // 8, spec.byte_order) + bytes(MAX_BODY + 3))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_with_bodies_of_each_small_size(name: str) -> None:
    both = Both(PRESETS[name], 300)
    for size in range(300):
        body = bytes(number & 255 for number in range(size))
        wire = PRESETS[name].encode(5, 6, body)
        found, error = both.feed(wire[: size // 2])
        rest, error = both.feed(wire[size // 2 :])
        assert [got for _, _, got in found + rest] == [body]
        assert error is None


def test_as_many_fields_as_a_layout_can_have() -> None:
    magics = tuple(f"magic:u64={value:#x}" for value in range(31))
    both = Both(Layout.from_spec("wide", LayoutSpec(("length:u64", *magics), "little")))
    wire = both.layout.encode(0, 0, b"body")
    assert both.feed(wire) == ([(DEFAULT_ID, 0, b"body")], None)
    _, error = both.feed(wire[:-9] + b"\xff" + wire[-8:])
    assert error is not None
    assert error.kind == "magic"


def test_more_frames_at_once_than_the_first_array_holds() -> None:
    both = Both(PRESETS["erlang"])
    found, _ = both.feed(PRESETS["erlang"].encode(0, 0, b"") * 5000)
    assert found == [(DEFAULT_ID, 0, b"")] * 5000


# -- writing -----------------------------------------------------------------------------------------------


@given(st.data())
def test_frames_are_written_as_layout_writes_them(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    if layout.min_body > 200:
        return
    message_id, sequence, body = data.draw(message(layout, DEFAULT_ID, 200))
    made = header.Header(layout, max_body=200, default_id=DEFAULT_ID)
    assert frames.encode_frame(made, message_id, sequence, body) == layout.encode(message_id, sequence, body)


# -- checksums ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", range(16))
def test_checksums_of_all_sizes_at_all_alignments(offset: int) -> None:
    """Each size takes another way through folding by 64 and 16 bytes, tables, and single bytes."""
    data = bytes((number * 197 + (number >> 8) * 31) & 255 for number in range(2000 + 16))
    view = memoryview(data)[offset:]
    differing = [size for size in range(2001) if frames.crc32(view[:size]) != zlib.crc32(view[:size])]
    assert differing == []


@given(st.binary(max_size=5000))
def test_checksums_of_any_bytes(data: bytes) -> None:
    assert frames.crc32(data) == zlib.crc32(data)
