"""Types of bodies as TypeScript source: a type for the compiler, and a codec that makes it of what is on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.naming import TYPESCRIPT_RESERVED, camel, type_name, unique

MAX_EXACT: Final = 2**53 - 1
"""The largest whole number that a `number` holds without loss."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class TypeScriptTypes:
    """The types of a catalogue as TypeScript source."""

    def __init__(self, types: Sequence[wire.NamedType], taken: frozenset[str]) -> None:
        """`taken`: names of the module's own, and global ones."""
        self._types = {one.name: one for one in types}
        reserved = taken | TYPESCRIPT_RESERVED
        names = unique([(type_name(one.name), "") for one in types], reserved)
        codecs = unique([(f"{camel(type_name(one.name))}Codec", "") for one in types], reserved | set(names))
        self._names = dict(zip(self._types, names, strict=True))
        self._codecs = dict(zip(self._types, codecs, strict=True))
        self.taken = reserved | set(names) | set(codecs)

    def declarations(self) -> Iterator[str]:
        """The source of each type and its codec."""
        for one in self._types.values():
            yield self._enumeration(one) if isinstance(one, wire.Enumeration) else self._record(one)

    def type(self, type_: wire.Type) -> str:  # noqa: PLR0911  # one for each kind
        """A type for the compiler."""
        match type_:
            case wire.Reference(name=name):
                return self._names[name]
            case wire.Union(options=options):
                return " | ".join(dict.fromkeys(map(self.type, options)))
            case wire.Array(item=item):
                return f"Array<{self.type(item)}>"
            case wire.Tuple(items=items):
                return f"[{', '.join(map(self.type, items))}]"
            case wire.Map(key=key, value=value):
                text = isinstance(key, wire.Text | wire.Formatted)
                return f"Record<string, {self.type(value)}>" if text else f"Map<{self.type(key)}, {self.type(value)}>"
            case wire.Literal(values=values):
                return " | ".join(map(literal, values))
        return _scalar(type_)[0]

    def codec(self, type_: wire.Type) -> str:  # noqa: PLR0911  # one for each kind
        """An expression: the codec of a type."""
        match type_:
            case wire.Reference(name=name):
                return f"late(() => {self._codecs[name]})"
            case wire.Union(options=options):
                return f"union<[{', '.join(map(self.type, options))}]>({', '.join(map(self.codec, options))})"
            case wire.Array(item=item):
                return f"array({self.codec(item)})"
            case wire.Tuple(items=items):
                return f"tuple<{self.type(type_)}>({', '.join(map(self.codec, items))})"
            case wire.Map(key=key, value=value):
                if isinstance(key, wire.Text | wire.Formatted):
                    return f"dictionary({self.codec(value)})"
                return f"map({self.codec(key)}, {self.codec(value)})"
            case wire.Literal(values=values):
                return f"literal({', '.join(map(literal, values))})"
        return _scalar(type_)[1]

    def _record(self, record: wire.Record) -> str:
        name = self._names[record.name]
        tag = f"  {_key(record.tag_field)}: {literal(record.tag)};\n" if record.tag_field else ""
        fields = "".join(
            f"{comment(_absent(one), '  ')}  {_key(one.name)}{'' if one.required else '?'}: {self.type(one.type)};\n"
            for one in record.fields
        )
        form = '"array"' if record.array_like else '"map"'
        tagged = (
            f"{{ name: {literal(record.tag_field)}, value: {literal(record.tag)} }}" if record.tag_field else "null"
        )
        items = "".join(f"  {self._field(one)},\n" for one in record.fields)
        return (
            f"{comment(record.doc)}export interface {name} {{\n{tag}{fields}}}\n\n"
            f"const {self._codecs[record.name]}: Codec<{name}> = record<{name}>({form}, {tagged}, [\n{items}]);"
        )

    def _field(self, field: wire.Field) -> str:
        missing = f", missing: fromJson({literal(field.default)})" if field.default and not field.required else ""
        return (
            f"{{ name: {literal(field.name)}, codec: {self.codec(field.type)}, "
            f"required: {'true' if field.required else 'false'}{missing} }}"
        )

    def _enumeration(self, found: wire.Enumeration) -> str:
        name = self._names[found.name]
        members = "".join(f"  {_key(one.name)}: {literal(one.value)},\n" for one in found.members)
        return (
            f"{comment(found.doc)}export const {name} = {{\n{members}}} as const;\n"
            f"export type {name} = (typeof {name})[keyof typeof {name}];\n\n"
            f"const {self._codecs[found.name]}: Codec<{name}> = literal(...Object.values({name}));"
        )


def literal(value: object) -> str:
    """A scalar as TypeScript source; a whole number that a `number` cannot hold as a bigint."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_EXACT:
        return f"{value}n"
    return json.dumps(value)


def comment(text: str, indent: str = "") -> str:
    """A doc comment and a newline; nothing for no text. Whatever is in the text, it ends where it should."""
    if not text.strip():
        return ""
    cleaned = "".join(
        one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text.strip()
    )
    lines = cleaned.replace("*/", "*\\/").split("\n")
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {one}".rstrip() + "\n" for one in lines) + f"{indent} */\n"


def _absent(field: wire.Field) -> str:
    return f"If it is not there: {field.default}." if field.default and not field.required else ""


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)


def _scalar(type_: wire.Type) -> tuple[str, str]:  # noqa: PLR0911  # one for each kind
    """The compiler's type, and the codec."""
    match type_:
        case wire.Null():
            return "null", "nothing"
        case wire.Boolean():
            return "boolean", "bool"
        case wire.Integer(minimum=lowest, maximum=highest):
            large = max(abs(lowest or 0), abs(highest or 0)) > MAX_EXACT
            return ("bigint", "bigint") if large else ("number", "int")
        case wire.Float():
            return "number", "float"
        case wire.Text() | wire.Formatted():
            return "string", "text"
        case wire.Binary():
            return "Uint8Array", "bytes"
        case wire.Timestamp(zoned=None):
            return "Date | string", "dateOrText"
        case wire.Timestamp(zoned=zoned):
            return ("Date", "date") if zoned else ("string", "text")
    return "unknown", "anything"
