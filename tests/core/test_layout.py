"""Header layouts: the presets byte by byte, custom ones, and what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core.layout import MAX_FIELDS, PRESETS, Layout, LayoutError, LayoutSpec
from tests.core.layouts import layouts


def make(*fields: str, **options: object) -> Layout:
    return Layout.from_spec("mine", LayoutSpec(fields, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("standard", "00000005 00000007 00000009 c1446436"),
        ("compact", "000d 0007 c1446436"),
        ("zinx", "00000007 00000005"),
        ("zinx-ltv", "05000000 07000000"),
        ("workerman", "00000009"),
        ("erlang", "00000005"),
    ],
)
def test_a_preset_on_the_wire(name: str, wire: str) -> None:
    assert PRESETS[name].encode(7, 9, b"HELLO") == bytes.fromhex(wire) + b"HELLO"


def test_a_frame_without_a_body_carries_checksum_0() -> None:
    assert PRESETS["compact"].encode(0, 0, b"") == bytes.fromhex("0008 0000 00000000")


def test_a_custom_layout_with_everything() -> None:
    layout = make(
        "magic:u16=0xCAFE", "length:u24", "skip:u8", "id:u16", "sequence:u64", "crc32:u32", length_counts="frame"
    )
    wire = bytes.fromhex("cafe 000019 00 0102 0000000000000003 c1446436") + b"HELLO"
    assert layout.encode(0x0102, 3, b"HELLO") == wire
    assert layout.header_size == 20


def test_little_endian_three_byte_fields() -> None:
    assert make("length:u24", "id:u24", byte_order="little").encode(0x010203, 0, b"x") == b"\x01\0\0\x03\x02\x01x"


def test_several_magics_stand_where_they_are_listed() -> None:
    assert make("magic:u8=1", "length:u8", "magic:u8=255").encode(0, 0, b"x") == b"\x01\x01\xffx"


@pytest.mark.parametrize(
    ("adjustment", "counts", "length"), [(0, "body", 1), (-2, "body", 3), (0, "frame", 3), (2, "frame", 1)]
)
def test_the_adjustment_is_added_to_the_length(adjustment: int, counts: str, length: int) -> None:
    layout = make("length:u16", length_counts=counts, length_adjustment=adjustment)
    assert layout.encode(0, 0, b"x") == length.to_bytes(2, "big") + b"x"


def test_where_control_ids_stand() -> None:
    assert (PRESETS["standard"].error_id, PRESETS["standard"].go_away_id) == (0xFFFFFFFF, 0xFFFFFFFE)
    assert (PRESETS["compact"].error_id, PRESETS["compact"].go_away_id) == (0xFFFF, 0xFFFE)
    assert PRESETS["erlang"].error_id is None
    assert [name for name in PRESETS if PRESETS[name].controls_by_default] == ["standard"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (("id:u32",), "no length field"),
        (("length:u32", "length:u16"), "2 length fields"),
        (("length:u32", "id:u8", "id:u8"), "2 id fields"),
        (("length:u12",), "'length:u12' is not a field; allowed: name:uBITS"),
        (("length:u32 ",), "is not a field"),
        (("size:u32",), "'size:u32' is not a field"),
        (("length:u32", "magic:u16"), "a magic field has a value"),
        (("length:u32=3",), "a magic field has a value, and no other"),
        (("length:u32", "magic:u8=256"), "0x100 does not fit 8 bits"),
        (("length:u32", "crc32:u16"), "a CRC-32 is crc32:u32"),
        (("length:u8", *("skip:u8",) * MAX_FIELDS), "33 fields; allowed: at most 32"),
    ],
)
def test_layouts_that_cannot_be(fields: tuple[str, ...], says: str) -> None:
    with pytest.raises(LayoutError, match=says.replace("(", r"\(")):
        make(*fields)


def test_a_layout_into_which_no_body_fits() -> None:
    with pytest.raises(LayoutError, match="no body fits: the largest length gives a body of 0 bytes"):
        make("length:u8", length_adjustment=-255)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1, 0, bytes(65528)), "a body of 65528 bytes does not fit layout compact: 0 to 65527"),
        ((65536, 0, b""), "message ID 65536 does not fit layout compact: 0 to 65535"),
        ((-1, 0, b""), "message ID -1 does not fit"),
    ],
)
def test_what_does_not_fit_is_said(arguments: tuple[int, int, bytes], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PRESETS["compact"].encode(*arguments)


def test_a_sequence_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="sequence 4294967296 does not fit layout standard"):
        PRESETS["standard"].encode(1, 1 << 32, b"")


def test_a_length_that_counts_less_than_the_body_makes_small_bodies_impossible() -> None:
    layout = make("length:u8", length_adjustment=4)
    assert (layout.min_body, layout.max_body) == (4, 259)
    assert layout.encode(0, 0, b"four") == b"\0four"
    with pytest.raises(ValueError, match="a body of 3 bytes does not fit layout mine: 4 to 259"):
        layout.encode(0, 0, b"abc")


@given(layouts(), st.integers(-2, 1 << 65), st.integers(0, 400))
def test_check_fits_and_encode_agree(layout: Layout, message_id: int, size: int) -> None:
    """What has been checked can be encoded: the sender's thread relies on it."""
    try:
        layout.check_fits(message_id, size)
    except ValueError:
        with pytest.raises(ValueError, match="does not fit"):
            layout.encode(message_id, 0, bytes(size))
    else:
        assert len(layout.encode(message_id, 0, bytes(size))) == layout.header_size + size
