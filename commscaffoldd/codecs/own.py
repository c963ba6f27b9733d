"""Codecs of one's own: a class that encodes itself, or a codec that is named beside somebody else's class.

Neither is kept in a table that plugins would share: the first is a mark on the class, the second a part of the
annotation. So two plugins may encode the same class in two ways.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable
from operator import methodcaller
from typing import Any, Final, TypeVar

from commscaffoldd.codecs.base import BadBody, Coding, NoCodecError, WrongTypeError, type_name

CODEC_MARK: Final = "__commscaffoldd_codec__"
"""The attribute in which `codec` leaves the name of a class's own encoding."""

_Kind = TypeVar("_Kind", bound=type)
_HALVES: Final = ("encode", "decode")


def codec(kind: _Kind) -> _Kind:
    """Mark a class as one that encodes itself, by a method `encode(self) -> bytes` and a classmethod `decode(body)`.

    `decode` is given what a client has sent, which can be any bytes: it raises ValueError (or struct.error), with a
    text for the client, if they are not what it expects. Anything else that it raises is a failure of the plugin.

    For a class that you cannot change, write `Annotated[TheClass, TheCodec]`, with an object or a class
    `TheCodec` that has `encode(value)` and `decode(body)`.

    Raises:
        TypeError: it is no class, or one of the methods is missing.
    """
    if not isinstance(kind, type):
        raise TypeError(f"@codec belongs on a class, not on a {type(kind).__name__}")
    _check_halves(kind, type_name(kind))
    if not isinstance(_static(kind, "decode"), classmethod | staticmethod):
        raise TypeError(f"@codec: {type_name(kind)}.decode makes an object of bytes: put @classmethod above it")
    setattr(kind, CODEC_MARK, kind.__name__)
    return kind


def own_coding(kind: Any) -> tuple[str, Coding] | None:  # noqa: ANN401  an annotation can be anything
    """Name and coding of an annotation that brings its own; `None` if it does not.

    Raises:
        NoCodecError: the codec that it brings has not both halves.
    """
    if isinstance(kind, type) and hasattr(kind, CODEC_MARK):
        return getattr(kind, CODEC_MARK), Coding(_guarded(kind.decode), _checked(methodcaller("encode"), kind))  # type: ignore[attr-defined]
    if typing.get_origin(kind) is not typing.Annotated:
        return None
    bare, *others = typing.get_args(kind)
    for other in others:
        if not any(callable(getattr(other, half, None)) for half in _HALVES):
            continue  # a `msgspec.Meta`, say
        made = _made(other)
        name = getattr(made, "name", type(made).__name__)
        return str(name), Coding(_guarded(made.decode), _checked(made.encode, bare))
    return None


def _made(given: Any) -> Any:  # noqa: ANN401  what stands in an annotation
    if not isinstance(given, type):
        made = given
    else:
        try:
            made = given()
        except TypeError as error:
            raise NoCodecError(f"the codec {type_name(given)} cannot be made without arguments: {error}") from None
    try:
        _check_halves(made, f"the codec {type_name(given if isinstance(given, type) else type(given))}")
    except TypeError as error:
        raise NoCodecError(str(error)) from None
    return made


def _check_halves(holder: object, name: str) -> None:
    for half in _HALVES:
        if not callable(getattr(holder, half, None)):
            raise TypeError(f"{name} has no method {half}: a codec has encode and decode")


def _static(kind: type, name: str) -> object:
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _guarded(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decoded(body: bytes) -> Any:  # noqa: ANN401  the annotation's type
        try:
            return decode(body)
        except BadBody:
            raise
        except UnicodeDecodeError as error:
            raise BadBody(f"body: not UTF-8: {error.reason} at offset {error.start}") from None
        except (ValueError, struct.error) as error:
            raise BadBody(f"body: {error}") from None

    return decoded


def _checked(encode: Callable[[Any], Any], kind: object) -> Callable[[Any], bytes]:
    classes = kind if isinstance(kind, type) else object

    def encoded(value: object) -> bytes:
        if not isinstance(value, classes):
            raise WrongTypeError(type_name(kind), value)
        body = encode(value)
        if type(body) is not bytes:
            raise TypeError(f"the codec of {type_name(kind)} made {type(body).__name__}; expected bytes")
        return body

    return encoded
