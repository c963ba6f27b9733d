"""Bodies that are bytes, or text."""

from __future__ import annotations

import contextlib
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from commscaffoldd.codecs import BadBody, codec_for


@given(st.binary())
def test_bytes_are_what_they_are(body: bytes) -> None:
    codec = codec_for(bytes)

    assert codec.name == "bytes"
    assert codec.decode(body) is body
    assert codec.encode(body) is body
    assert codec.encode(bytearray(body)) == body


@given(st.binary())
def test_any_bytes_are_text_or_a_bad_body(body: bytes) -> None:
    codec = codec_for(str)
    with contextlib.suppress(BadBody):
        assert codec.encode(codec.decode(body)) == body


def test_what_is_no_text_is_told_with_its_offset() -> None:
    with pytest.raises(BadBody, match=r"^body: not UTF-8: byte 0xff at offset 3$"):
        codec_for(str).decode(b"ann\xff")


def test_bounds_of_an_annotation() -> None:
    name = codec_for(Annotated[str, Meta(max_length=3)])

    assert name.name == "str"
    assert name.decode(b"ann") == "ann"
    with pytest.raises(BadBody, match=r"^body: Expected `str` of length <= 3$"):
        name.decode(b"anna")


@pytest.mark.parametrize(("kind", "value"), [(bytes, "text"), (bytes, None), (str, b"bytes"), (str, 5)])
def test_other_types_are_not_encoded(kind: type, value: object) -> None:
    with pytest.raises(TypeError, match=f"expected {kind.__name__}, found {type(value).__name__}"):
        codec_for(kind).encode(value)
