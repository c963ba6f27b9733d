"""Examples of bodies: a value for each type, encoded as a client would."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.model import Body, Catalogue

_DEEPEST: Final = 6
_FORMS: Final = {
    "date": "2026-01-31",
    "time": "12:30:00",
    "duration": "PT90S",
    "uuid": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    "decimal": "19.99",
}
_MOMENT: Final = dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC)


class NoExample(ValueError):  # noqa: N818  # it is an answer more than an error
    """No value is known that fits: the type is not known, or has a pattern, or contains itself without an end."""


def example(catalogue: Catalogue, body: Body) -> tuple[object, bytes]:
    """A value that fits a body, as it crosses the wire, and its bytes.

    Raises:
        NoExample: none is known.
    """
    if body.type is None or body.format not in {"msgpack", "json", "str", "bytes"}:
        raise NoExample(body.format)
    try:
        value = _Examples(catalogue).of(body.type, 0)
    except TypeError:  # a map by something that Python does not take as a key
        raise NoExample("it has a key that cannot be one") from None
    if body.format == "bytes" and isinstance(value, bytes):
        return value, value
    if body.format == "str" and isinstance(value, str):
        return value, value.encode()
    encode = msgspec.json.encode if body.format == "json" else msgspec.msgpack.encode
    try:
        return value, encode(value)
    except TypeError as error:  # a map by anything: not all keys are some in JSON
        raise NoExample(str(error)) from None


class _Examples:
    def __init__(self, catalogue: Catalogue) -> None:
        self._named = {one.name: one for one in catalogue.types}

    def of(self, type_: wire.Type, depth: int) -> Any:  # noqa: ANN401  # a value of that type
        if depth > _DEEPEST:
            raise NoExample("it contains itself")
        match type_:
            case wire.Reference(name=name):
                return self._named_value(self._named[name], depth)
            case wire.Union(options=options):
                return self._first(options, depth)
            case wire.Tuple(items=items):
                return [self.of(one, depth + 1) for one in items]
            case wire.Array(item=item, min_length=least):
                return [self.of(item, depth + 1) for _ in range(least or 1)]
            case wire.Map(key=key, value=value):
                return {self.of(key, depth + 1): self.of(value, depth + 1)}
        return _scalar(type_)

    def _first(self, options: tuple[wire.Type, ...], depth: int) -> Any:  # noqa: ANN401
        for one in options:
            try:
                return self.of(one, depth)
            except NoExample:
                continue
        raise NoExample("none of the union's types has one")

    def _named_value(self, named: wire.NamedType, depth: int) -> Any:  # noqa: ANN401
        if isinstance(named, wire.Enumeration):
            return named.members[0].value
        tag = [named.tag] if named.tag_field else []
        if named.array_like:
            return tag + [self.of(field.type, depth + 1) for field in named.fields if field.required]
        values: dict[str, Any] = {named.tag_field: named.tag} if tag else {}
        for field in named.fields:
            if field.required or (depth == 0 and _is_plain(field.type)):
                values[field.name] = self.of(field.type, depth + 1)
        return values


def _is_plain(type_: wire.Type) -> bool:
    return isinstance(type_, wire.Boolean | wire.Integer | wire.Float) or type_ == wire.Text()


def _scalar(type_: wire.Type) -> Any:  # noqa: ANN401, PLR0911  # one for each kind
    match type_:
        case wire.Boolean():
            return True
        case wire.Integer(minimum=lowest, maximum=highest, multiple_of=multiple):
            number = max(lowest if lowest is not None else 1, 1) if highest is None or highest >= 1 else highest
            return number if multiple is None else -(-number // multiple) * multiple
        case wire.Float(ge=ge, gt=gt, le=le, lt=lt):
            return _number(ge if ge is not None else gt, le if le is not None else lt)
        case wire.Text(pattern=None, min_length=least, max_length=most):
            return "text".ljust(least or 0, ".")[: most if most is not None else None]
        case wire.Binary(min_length=least, max_length=most):
            return b"bytes".ljust(least or 0, b".")[: most if most is not None else None]
        case wire.Timestamp(zoned=zoned):
            return _MOMENT.replace(tzinfo=None) if zoned is False else _MOMENT
        case wire.Formatted(form=form):
            return _FORMS[form]
        case wire.Literal(values=values):
            return values[0]
        case wire.Null() | wire.Any():
            return None
    raise NoExample("its type is not known")


def _number(lowest: float | None, highest: float | None) -> float:
    if lowest is None:
        return 1.5 if highest is None or highest > 1.5 else highest - 0.5  # noqa: PLR2004  # itself
    return lowest + 0.5 if highest is None else (lowest + highest) / 2
