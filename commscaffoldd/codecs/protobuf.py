"""Protobuf messages, as `protoc` generates them. The package is imported only for a plugin that has such a class."""

from __future__ import annotations

import importlib
from typing import Any

from commscaffoldd.codecs.base import BadBody, Coding, NoCodecError, WrongTypeError, type_name

_LOOKS = ("DESCRIPTOR", "FromString", "SerializeToString")
INSTALL = "pip install 'commscaffoldd[protobuf]'"


def is_message(kind: object) -> bool:
    """Whether it is the class of a protobuf message, by its looks."""
    return isinstance(kind, type) and all(hasattr(kind, name) for name in _LOOKS)


def message_coding(kind: Any) -> Coding:  # noqa: ANN401  there are no types without the package
    """The coding of a message's class.

    Raises:
        NoCodecError: the package `protobuf` is not installed.
    """
    try:
        module = importlib.import_module("google.protobuf.message")
    except ImportError:
        raise NoCodecError(
            f"there is no codec for the protobuf message {type_name(kind)}: the package protobuf is not installed: "
            f"{INSTALL}"
        ) from None
    wrong: type[Exception] = module.DecodeError

    def decode(body: bytes) -> Any:  # noqa: ANN401  the message
        try:
            return kind.FromString(body)
        except (wrong, ValueError) as error:
            raise BadBody(f"body: not a protobuf {kind.DESCRIPTOR.full_name}: {error}") from None
        except RecursionError:
            raise BadBody("body: nested too deeply") from None

    def encode(value: Any) -> bytes:  # noqa: ANN401  what a handler has returned
        if not isinstance(value, kind):
            raise WrongTypeError(type_name(kind), value)
        try:
            data: bytes = value.SerializeToString()
        except module.EncodeError as error:  # a required field is missing
            raise ValueError(str(error)) from None
        return data

    return Coding(decode, encode)
