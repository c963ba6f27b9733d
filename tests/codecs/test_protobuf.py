"""Protobuf messages, with the package and without it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.codecs import BadBody, NoCodecError, codec_for


@pytest.fixture(scope="module")
def duration() -> Any:
    """A message that the package itself has."""
    return pytest.importorskip("google.protobuf.duration_pb2").Duration


def test_there_and_back(duration: Any) -> None:
    codec = codec_for(duration)

    assert codec.name == "protobuf"
    assert codec.decode(b"\x08\x05").seconds == 5
    assert codec.encode(duration(seconds=5)) == b"\x08\x05"


def test_a_body_that_is_none(duration: Any) -> None:
    with pytest.raises(BadBody, match=r"^body: not a protobuf google\.protobuf\.Duration: "):
        codec_for(duration).decode(b"\x08")


@given(st.binary())
def test_any_bytes_are_a_value_or_a_bad_body(body: bytes) -> None:
    message = pytest.importorskip("google.protobuf.struct_pb2").Struct
    with contextlib.suppress(BadBody):
        codec_for(message).decode(body)


def test_endless_nesting() -> None:
    message = pytest.importorskip("google.protobuf.struct_pb2").ListValue
    body = b""
    for _ in range(2_000):
        inner = b"\x32" + varint(len(body)) + body
        body = b"\x0a" + varint(len(inner)) + inner
    with pytest.raises(BadBody):
        codec_for(message).decode(body)


def varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def test_another_message_is_not_encoded(duration: Any) -> None:
    with pytest.raises(TypeError, match="expected Duration, found dict"):
        codec_for(duration).encode({})


class Generated:
    """As much of a generated class as it takes to look like one."""

    DESCRIPTOR = None

    @classmethod
    def FromString(cls, body: bytes) -> Generated: ...  # type: ignore[empty-body]  # noqa: N802

    def SerializeToString(self) -> bytes: ...  # type: ignore[empty-body]  # noqa: N802


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf.message", None)

    with pytest.raises(NoCodecError, match=r"protobuf is not installed: pip install 'commscaffoldd\[protobuf\]'"):
        codec_for(Generated)
