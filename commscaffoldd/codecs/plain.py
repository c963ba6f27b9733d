"""Bodies that are what they are: bytes, and text in UTF-8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from commscaffoldd.codecs.base import BadBody, Coding, WrongTypeError

_Value = TypeVar("_Value")


def bytes_coding() -> Coding:
    """The body itself."""
    return Coding(_same, _bytes)


def str_coding() -> Coding:
    """Text: UTF-8 without anything around it."""
    return Coding(_text, _utf8)


def bounded(coding: Coding, kind: Any) -> Coding:  # noqa: ANN401  an annotation
    """The same with the bounds of `Annotated[str, msgspec.Meta(max_length=…)]`, for what comes in."""
    return Coding(_bounded(coding.decode, kind), coding.encode)


def _bounded(decode: Callable[[bytes], _Value], kind: Any) -> Callable[[bytes], _Value]:  # noqa: ANN401
    def decoded(body: bytes) -> _Value:
        value = decode(body)
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise BadBody(f"body: {error}") from None
        return value

    return decoded


def _same(body: bytes) -> bytes:
    return body


def _bytes(value: object) -> bytes:
    if type(value) is bytes:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise WrongTypeError("bytes", value)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadBody(f"body: not UTF-8: byte 0x{body[error.start]:02x} at offset {error.start}") from None


def _utf8(value: object) -> bytes:
    if not isinstance(value, str):
        raise WrongTypeError("str", value)
    return value.encode()
