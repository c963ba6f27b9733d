"""Types of bodies as Python source: `msgspec.Struct`s and enumerations that look the same on the wire."""

from __future__ import annotations

import json
import keyword
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.naming import PYTHON_RESERVED, snake, type_name, unique, upper

_USED: Final = """
Annotated Any AsyncCaller AsyncIterator Caller Final Iterator Layout LayoutSpec Literal PRESETS bool bytes datetime
decimal dict enum float int json list msgpack msgspec str tuple uuid
"""
USED: Final = frozenset(_USED.split())
"""Names that the generated module uses itself."""

_FORMS: Final = {
    "date": "datetime.date",
    "time": "datetime.time",
    "duration": "datetime.timedelta",
    "uuid": "uuid.UUID",
    "decimal": "decimal.Decimal",
}
_UNSET: Final = "msgspec.UnsetType"


class PythonTypes:
    """The types of a catalogue as Python source.

    Attributes:
        names: of the classes, by the names in the catalogue.
    """

    def __init__(self, types: Sequence[wire.NamedType], taken: frozenset[str]) -> None:
        """`taken`: names of the module's own."""
        self._types = {one.name: one for one in types}
        wanted = [(type_name(one.name), "") for one in types]
        self.names = dict(
            zip(self._types, unique(wanted, taken | USED | PYTHON_RESERVED), strict=True),
        )

    def classes(self) -> Iterator[str]:
        """The source of each class; enumerations first, since defaults of records name their members."""
        for one in sorted(self._types.values(), key=lambda one: isinstance(one, wire.Record)):
            yield self._enumeration(one) if isinstance(one, wire.Enumeration) else self._record(one)

    def annotation(self, type_: wire.Type) -> str:  # noqa: PLR0911  # one for each kind
        """A type where an annotation stands, and where it is evaluated."""
        match type_:
            case wire.Reference(name=name):
                return self.names[name]
            case wire.Union(options=options):
                return self._union(options)
            case wire.Array(item=item):
                return f"list[{self.annotation(item)}]"
            case wire.Tuple(items=items):
                return f"tuple[{', '.join(map(self.annotation, items)) or '()'}]"
            case wire.Map(key=key, value=value):
                return f"dict[{self.annotation(key)}, {self.annotation(value)}]"
            case wire.Literal(values=values):
                return f"Literal[{', '.join(map(source, values))}]"
        return _scalar(type_)

    def _union(self, options: Sequence[wire.Type]) -> str:
        found = [self._types[one.name] for one in options if isinstance(one, wire.Reference)]
        records = [one for one in found if isinstance(one, wire.Record)]
        if len(records) > 1 and not all(one.tag_field for one in records):
            return "Any"  # told apart by their forms, which Structs are not
        return " | ".join(dict.fromkeys(map(self.annotation, options)))

    def _record(self, record: wire.Record) -> str:
        options = ["msgspec.Struct"]
        if record.array_like:
            options.append("array_like=True")
        if record.tag_field:
            options += [f"tag_field={source(record.tag_field)}", f"tag={source(record.tag)}"]
        required = [one.required for one in record.fields]
        if required != sorted(required, reverse=True):
            options.append("kw_only=True")
        lines = [f"class {self.names[record.name]}({', '.join(options)}):", *docstring(record.doc)]
        attributes = unique(
            [(_attribute(one.name), "") for one in record.fields],
            USED | frozenset(self.names.values()) | PYTHON_RESERVED,
        )
        body = [f"    {self._field(one, name)}" for one, name in zip(record.fields, attributes, strict=True)]
        if body and record.doc.strip():
            lines.append("")
        return "\n".join([*lines, *body] if body or record.doc.strip() else [*lines, "    pass"])

    def _field(self, field: wire.Field, attribute: str) -> str:
        annotation = self.annotation(field.type)
        name = "" if attribute == field.name else f"name={source(field.name)}"
        if field.required:
            return f"{attribute}: {annotation}" + (f" = msgspec.field({name})" if name else "")
        default = self._default(field)
        if default is None:  # the other side has one that cannot be written here: it is to be left to it
            annotation, default = (annotation if annotation == "Any" else f"{annotation} | {_UNSET}"), "msgspec.UNSET"
        if default in {"[]", "{}"}:
            factory = "list" if default == "[]" else "dict"
            more = f", {name}" if name else ""
            return f"{attribute}: {annotation} = msgspec.field(default_factory={factory}{more})"
        value = f"msgspec.field(default={default}, {name})" if name else default
        return f"{attribute}: {annotation} = {value}"

    def _default(self, field: wire.Field) -> str | None:
        """A default as Python source, where that is simple."""
        if not field.default:
            return None
        value = json.loads(field.default)
        options = field.type.options if isinstance(field.type, wire.Union) else (field.type,)
        for one in options:
            match one:
                case wire.Reference(name=name):
                    found = self._types[name]
                    members = found.members if isinstance(found, wire.Enumeration) else ()
                    for member, called in zip(members, _member_names(members), strict=True):
                        if member.value == value:
                            return f"{self.names[name]}.{called}"
                case _ if _fits(value, one):
                    return source(value)
        return None

    def _enumeration(self, found: wire.Enumeration) -> str:
        lines = [f"class {self.names[found.name]}(enum.Enum):", *docstring(found.doc)]
        if found.doc.strip():
            lines.append("")
        names = _member_names(found.members)
        members = [f"    {name} = {source(one.value)}" for one, name in zip(found.members, names, strict=True)]
        return "\n".join([*lines, *(members or ["    pass"])])


def docstring(text: str, indent: str = "    ") -> list[str]:
    """A docstring's lines; none for no text. Whatever is in the text, it ends where it should."""
    if not text.strip():
        return []
    cleaned = "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text)
    escaped = cleaned.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if escaped.endswith('"'):
        escaped = f'{escaped[:-1]}\\"'
    first, *others = escaped.split("\n")
    if not others:
        return [f'{indent}"""{first}"""']
    lines = [f'{indent}"""{first.rstrip()}']
    lines += [textwrap.indent(one.rstrip(), indent) for one in others]
    return [*lines, f'{indent}"""']


def source(value: object) -> str:
    """A scalar as the formatter would write it: in double quotes, unless single ones save escapes."""
    if not isinstance(value, str) or value.count('"') > value.count("'"):
        return repr(value)
    # JSON's escapes are Python's, too; and what can be printed needs none.
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _scalar(type_: wire.Type) -> str:  # noqa: PLR0911  # one for each kind
    match type_:
        case wire.Null():
            return "None"
        case wire.Boolean():
            return "bool"
        case wire.Integer():
            return "int"
        case wire.Float():
            return "float"
        case wire.Text():
            return "str"
        case wire.Binary():
            return "bytes"
    if isinstance(type_, wire.Timestamp):
        return "datetime.datetime"
    return _FORMS[type_.form] if isinstance(type_, wire.Formatted) else "Any"


def _fits(value: object, type_: wire.Type) -> bool:  # noqa: PLR0911  # one for each kind
    match type_:
        case wire.Null():
            return value is None
        case wire.Boolean():
            return isinstance(value, bool)
        case wire.Integer():
            return isinstance(value, int) and not isinstance(value, bool)
        case wire.Float():
            return isinstance(value, float)
        case wire.Text():
            return isinstance(value, str)
        case wire.Array():
            return value == []
        case wire.Map():
            return value == {}
    if isinstance(type_, wire.Literal):
        return value in type_.values
    return isinstance(type_, wire.Any) and (value is None or isinstance(value, bool | int | float | str))


def _attribute(name: str) -> str:
    if name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and not name.startswith("_"):
        return name
    text = snake(name).strip("_")
    return text if text[:1].isalpha() else f"field_{text}".rstrip("_")


def _member_names(members: Sequence[wire.Member]) -> list[str]:
    return unique(
        [(one.name if one.name.isidentifier() else upper(one.name), "") for one in members], PYTHON_RESERVED | {"mro"}
    )
