"""Codecs of a plugin's own."""

from __future__ import annotations

import contextlib
import datetime as dt
import struct
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd import codec
from commscaffoldd.codecs import BadBody, NoCodecError, codec_for


@codec
class Position:
    """Two coordinates, eight bytes."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def encode(self) -> bytes:
        return struct.pack(">ii", self.x, self.y)

    @classmethod
    def decode(cls, body: bytes) -> Position:
        return cls(*struct.unpack(">ii", body))


class Days:
    """A date as the number of its day."""

    def encode(self, value: dt.date) -> bytes:
        return struct.pack(">H", value.toordinal() - 730_000)

    def decode(self, body: bytes) -> dt.date:
        if len(body) != 2:
            raise ValueError(f"a date has 2 bytes, not {len(body)}")
        return dt.date.fromordinal(730_000 + struct.unpack(">H", body)[0])


class Date:
    """The same class of values in another form."""

    name = "iso"

    def encode(self, value: dt.date) -> bytes:
        return value.isoformat().encode()

    def decode(self, body: bytes) -> dt.date:
        return dt.date.fromisoformat(body.decode())


def test_a_class_that_encodes_itself() -> None:
    made = codec_for(Position)

    assert made.name == "Position"
    assert made.encode(Position(1, -2)) == b"\x00\x00\x00\x01\xff\xff\xff\xfe"
    assert made.decode(made.encode(Position(3, 4))).y == 4


def test_a_codec_beside_somebody_elses_class_and_two_of_them_for_one() -> None:
    days, iso = codec_for(Annotated[dt.date, Days]), codec_for(Annotated[dt.date, Date()])
    day = dt.date(2026, 5, 1)

    assert (days.name, iso.name) == ("Days", "iso")
    assert days.decode(days.encode(day)) == day
    assert iso.encode(day) == b"2026-05-01"
    assert codec_for(dt.date).encode(day) == b"\xaa2026-05-01"  # nothing was registered anywhere


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (Position, b"abc", "body: unpack requires a buffer of 8 bytes"),
        (Annotated[dt.date, Days], b"abc", "body: a date has 2 bytes, not 3"),
        (Annotated[dt.date, Date], b"\xff", "body: not UTF-8: invalid start byte at offset 0"),
        (Annotated[dt.date, Date], b"yesterday\x1b", r"body: Invalid isoformat string: 'yesterday\x1b'"),
    ],
)
def test_its_value_errors_are_what_the_client_is_told(kind: Any, body: bytes, why: str) -> None:
    with pytest.raises(BadBody) as caught:
        codec_for(kind).decode(body)

    assert str(caught.value) == why


@given(st.binary(max_size=12))
def test_any_bytes_are_a_value_or_a_bad_body(body: bytes) -> None:
    for kind in (Position, Annotated[dt.date, Days], Annotated[dt.date, Date]):
        with contextlib.suppress(BadBody):
            codec_for(kind).decode(body)


def test_a_subclass_encodes_itself_in_its_own_way() -> None:
    class Home(Position):
        def encode(self) -> bytes:
            return b"home"

    assert codec_for(Position).encode(Home(0, 0)) == b"home"


def test_other_types_are_not_encoded() -> None:
    with pytest.raises(TypeError, match="expected Position, found tuple"):
        codec_for(Position).encode((1, 2))
    with pytest.raises(TypeError, match="expected date, found str"):
        codec_for(Annotated[dt.date, Days]).encode("today")


class Half:
    def encode(self, value: object) -> bytes: ...  # type: ignore[empty-body]


class Needy(Days):
    def __init__(self, epoch: int) -> None: ...


class Texts(Days):
    def encode(self, value: dt.date) -> str:  # type: ignore[override]
        return str(value)


def test_a_codec_that_makes_no_bytes() -> None:
    with pytest.raises(TypeError, match="the codec of date made str; expected bytes"):
        codec_for(Annotated[dt.date, Texts]).encode(dt.date(2026, 5, 1))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Annotated[dt.date, Half], "the codec Half has no method decode: a codec has encode and decode"),
        (Annotated[dt.date, Half()], "the codec Half has no method decode"),
        (Annotated[dt.date, Needy], "the codec Needy cannot be made without arguments: .*epoch"),
    ],
)
def test_half_a_codec_is_none(kind: Any, why: str) -> None:
    with pytest.raises(NoCodecError, match=why):
        codec_for(kind)


def test_what_cannot_be_marked() -> None:
    with pytest.raises(TypeError, match="Half has no method decode"):
        codec(Half)
    with pytest.raises(TypeError, match=r"Days\.decode makes an object of bytes: put @classmethod above it"):
        codec(Days)
    with pytest.raises(TypeError, match="@codec belongs on a class, not on a function"):
        codec(lambda: None)  # type: ignore[type-var]
