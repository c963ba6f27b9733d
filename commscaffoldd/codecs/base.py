"""What a codec is, and what it says when it cannot do its work."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

Format: TypeAlias = Literal["msgpack", "json"]
"""How a value of a type without an encoding of its own travels."""

FORMATS: Final[tuple[Format, ...]] = ("msgpack", "json")

MAX_TEXT: Final = 300  # characters of what a client is told of its body; much of it may be its own


class BadBody(ValueError):  # noqa: N818  it names what the client has sent, as `Refuse` what it gets
    """A body that is not what is expected. The text is fit for a client: one short line of printable characters."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason, MAX_TEXT))


class NoCodecError(TypeError):
    """There is no codec for a type; the text says why, and what there is."""


class WrongTypeError(TypeError):
    """What is to be encoded is of another type than the codec's; the text says of which."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, found {type(value).__name__}")


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """Turns bodies into values of one type and back. Any thread may use it, and several at once.

    Attributes:
        name: how a value travels: "msgpack", "json", "bytes", "str", "protobuf", or the name of one's own.
        type: the annotation that it was made for.
        decode: the value of a body. Raises BadBody if the body is none; what else it raises is a fault of the type's
            own code.
        encode: the body of a value. Raises WrongTypeError if the value is of another type, TypeError if it has
            something in it that cannot be encoded, ValueError if it is beyond what the encoding can carry.
    """

    name: str
    type: Any
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


class Coding(NamedTuple):
    """The two halves of a codec, before it has its name."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def type_name(kind: object) -> str:
    """A type as its author wrote it, near enough: `LoginRequest`, `list[int]`, `str | None`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if isinstance(origin, type) and arguments:
        return f"{type_name(origin)}[{', '.join(map(type_name, arguments))}]"
    if kind is type(None):
        return "None"
    return kind.__qualname__.rpartition("<locals>.")[2] if isinstance(kind, type) else str(kind)


def one_line(text: str, most: int) -> str:
    """The text on one line, without characters that a terminal would act on, and cut off when it is long."""
    text = " ".join(text[: most * 2].split())
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return safe if len(safe) <= most else safe[: most - 1] + "…"
