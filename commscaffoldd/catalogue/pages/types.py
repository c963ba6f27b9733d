"""Types of bodies in words: tables of fields, and notations of types short enough to stand in them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.model import Body, Catalogue
from commscaffoldd.catalogue.pages.blocks import (
    Block,
    Code,
    Heading,
    Inline,
    Link,
    Plain,
    Span,
    Table,
    docstring,
    inline,
    paragraph,
)

_FORMS = {"date": "date", "time": "time", "duration": "duration", "uuid": "UUID", "decimal": "decimal number"}


def type_section(catalogue: Catalogue) -> Iterator[Block]:
    """All types with a name, and how they look in the formats."""
    if not catalogue.types:
        return
    yield Heading(2, (Plain("Types"),), "types")
    yield paragraph(
        "In MessagePack, records are maps with text keys, `bytes` are `bin`, whole numbers are of whatever size "
        "fits, and date and time with a time zone is the timestamp extension, type -1. In JSON, `bytes` are base64 "
        "text, keys of maps are text, and date and time is RFC 3339 text. In both, dates, times, durations "
        "(ISO 8601), UUIDs and decimal numbers are text. Fields that a receiver does not know are passed over, and "
        "an optional one that is not there has its default."
    )
    for one in catalogue.types:
        yield Heading(3, (Code(one.name),), type_anchor(one.name))
        yield from docstring(one.doc, f"Description of {one.name}")
        yield from _enumeration(one) if isinstance(one, wire.Enumeration) else _record(one)


def type_anchor(name: str) -> str:
    """What links to a type name."""
    return f"type-{name}"


def body_words(body: Body | None) -> Inline:
    """A body in a table's cell."""
    if body is None:
        return (Plain("none"),)
    if body.type is None:
        return (Plain(f"{body.format}: "), Code(body.name))
    if body.format in {"bytes", "str"}:
        return (Plain({"bytes": "bytes", "str": "text, UTF-8"}[body.format]), *_limits(body.type))
    return (Plain(f"{_format_name(body.format)}: "), *type_words(body.type))


def type_words(type_: wire.Type) -> Inline:  # noqa: PLR0911  # one for each kind
    """A type in a table's cell."""
    match type_:
        case wire.Reference(name=name):
            return (Link(name, type_anchor(name)),)
        case wire.Union(options=options):
            return _joined([type_words(one) for one in options], " or ")
        case wire.Array(item=item):
            return (Plain("array of "), *type_words(item), *_limits(type_))
        case wire.Tuple(items=items):
            return (Plain("array of "), *_joined([type_words(one) for one in items], ", then "))
        case wire.Map(key=key, value=value):
            return (Plain("map from "), *type_words(key), Plain(" to "), *type_words(value))
        case wire.Literal(values=values):
            return _joined([(Code(_shown(one)),) for one in values], " or ")
    return (Plain(_word(type_)), *_limits(type_))


def _record(record: wire.Record) -> Iterator[Block]:
    tag: Inline = inline(f"`{record.tag_field}` = `{_shown(record.tag)}`") if record.tag_field else ()
    if record.array_like:
        first = f" First comes its tag, `{_shown(record.tag)}`." if record.tag_field else ""
        yield paragraph(
            f"An array of the fields' values, in this order.{first} Optional ones may be missing at its end."
        )
    elif tag:
        yield paragraph(f"Told from others by its field `{record.tag_field}`, which is `{_shown(record.tag)}`.")
    if record.closed:
        yield paragraph("Fields that are not listed are refused.")
    if not record.fields:
        yield paragraph("No fields.")
        return
    yield Table(
        f"Fields of {record.name}",
        ("Field", "Type", "If it is not there"),
        tuple(((Code(one.name),), type_words(one.type), _absent(one)) for one in record.fields),
    )


def _absent(field: wire.Field) -> Inline:
    if field.required:
        return (Plain("required"),)
    return (Code(field.default),) if field.default else (Plain("optional"),)


def _enumeration(found: wire.Enumeration) -> Iterator[Block]:
    yield Table(
        f"Values of {found.name}",
        ("Value", "Name"),
        tuple(((Code(_shown(one.value)),), (Code(one.name),)) for one in found.members),
    )


def _word(type_: wire.Type) -> str:  # noqa: PLR0911  # one for each kind
    match type_:
        case wire.Null():
            return "null"
        case wire.Boolean():
            return "true or false"
        case wire.Integer():
            return "whole number"
        case wire.Float():
            return "number"
        case wire.Text():
            return "text"
        case wire.Binary():
            return "bytes"
        case wire.Timestamp(zoned=zoned):
            return "date and time" if zoned is None else f"date and time {'with' if zoned else 'without'} time zone"
        case wire.Formatted(form=form):
            return _FORMS.get(form, form)
        case wire.Opaque(name=name):
            return name
    return "anything"


def _limits(type_: wire.Type) -> Inline:
    texts: list[str] = []
    match type_:
        case wire.Integer(minimum=lowest, maximum=highest, multiple_of=multiple):
            texts = _bounds([("≥", lowest), ("≤", highest)])
            texts += [f"a multiple of {multiple}"] if multiple is not None else []
        case wire.Float(ge=ge, gt=gt, le=le, lt=lt):
            texts = _bounds([("≥", ge), (">", gt), ("≤", le), ("<", lt)])
        case wire.Text(min_length=least, max_length=most, pattern=pattern):
            texts = _bounds([("≥", least), ("≤", most)], " characters")
            texts += [f"matching {pattern}"] if pattern is not None else []
        case wire.Binary(min_length=least, max_length=most):
            texts = _bounds([("≥", least), ("≤", most)], " bytes")
        case wire.Array(min_length=least, max_length=most):
            texts = _bounds([("≥", least), ("≤", most)], " items")
    return (Plain(f" ({', '.join(texts)})"),) if texts else ()


def _bounds(pairs: list[tuple[str, float | None]], unit: str = "") -> list[str]:
    return [f"{sign} {number}{unit}" for sign, number in pairs if number is not None]


def _joined(parts: list[Inline], between: str) -> Inline:
    spans: list[Span] = []
    for part in parts:
        spans += [Plain(between), *part] if spans else part
    return tuple(spans)


def _shown(value: object) -> str:
    """A value as JSON has it."""
    return json.dumps(value, ensure_ascii=False)


def _format_name(name: str) -> str:
    return {"msgpack": "MessagePack", "json": "JSON"}.get(name, name)
