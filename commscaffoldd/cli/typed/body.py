"""Bodies from JSON and to JSON.

JSON has no bytes: they are written in base64 both ways, as msgspec does. Times and dates, UUIDs and decimals are text
in JSON, and are accepted as text in MessagePack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from commscaffoldd.cli.typed.schema import fitted

FORMATS: Final = ("msgpack", "json", "str")
"""The formats, by their codecs' names, that JSON can be turned into."""


class BodyType(NamedTuple):
    """How a body is written.

    Attributes:
        format: the codec's name.
        schema: its JSON schema, complete in itself; `None` if that is not known.
    """

    format: str
    schema: Mapping[str, Any] | None = None


class NotConvertible(ValueError):  # noqa: N818  # it names what is the matter
    """JSON that cannot become this body, or a body that cannot become JSON; the text says why."""


def body_from_json(text: str | bytes, kind: BodyType) -> bytes:
    """The body that this JSON stands for. Raises NotConvertible."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotConvertible(f"not JSON: {error}") from None
    if kind.format == "json":
        return msgspec.json.encode(value)
    if kind.format == "str":
        if not isinstance(value, str):
            raise NotConvertible('the body is text: JSON for it is a string, such as "hello"')
        return value.encode()
    if kind.format == "msgpack":
        try:
            return msgspec.msgpack.encode(value if kind.schema is None else fitted(value, kind.schema))
        except (ValueError, OverflowError, RecursionError) as error:  # an integer beyond 64 bits is one
            raise NotConvertible(str(error)) from None
    raise NotConvertible(f"a body of format {kind.format} cannot be made from JSON: give it as text, @file or hex")


def body_to_json(body: bytes, format_name: str) -> bytes:
    """A body as JSON. Raises NotConvertible."""
    try:
        if format_name == "json":
            return msgspec.json.encode(msgspec.json.decode(body))
        if format_name == "msgpack":
            return msgspec.json.encode(_plain(msgspec.msgpack.decode(body)))
        if format_name == "str":
            return msgspec.json.encode(body.decode())
    except (ValueError, TypeError, RecursionError) as error:
        raise NotConvertible(f"{len(body)} bytes that are no {_NAMES[format_name]}: {error}") from None
    raise NotConvertible(f"a body of format {format_name} cannot be shown as JSON")


_NAMES: Final = {"json": "JSON", "msgpack": "MessagePack", "str": "UTF-8"}


def _plain(value: object) -> object:
    """What JSON has no form for becomes something that can be read."""
    if isinstance(value, dict):
        return {_key(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, msgspec.msgpack.Ext):
        return {"extension": value.code, "data": bytes(value.data)}
    return value


def _key(key: object) -> object:
    return key if isinstance(key, str | bytes | int | float) and not isinstance(key, bool) else str(key)
