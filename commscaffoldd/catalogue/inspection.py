"""From Python annotations to types as data: what msgspec knows of a type, said for other languages."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec import inspect as found

from commscaffoldd.catalogue import wire_types as wire

_REF: Final = "#/$defs/{name}"
_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9.\-_]")

HasFields = found.StructType | found.DataclassType | found.TypedDictType | found.NamedTupleType
HasName = HasFields | found.EnumType


class TypeTable(Struct, frozen=True):
    """Types of bodies as data.

    Attributes:
        types: one for each annotation, in their order.
        named: what these refer to by name, sorted by it.
        schemas: the same as JSON schema, by name.
    """

    types: tuple[wire.Type, ...]
    named: tuple[wire.NamedType, ...]
    schemas: dict[str, Any]


def describe_types(annotations: Sequence[Any]) -> TypeTable:
    """The types that annotations stand for. Never raises: what msgspec cannot carry becomes `Opaque`."""
    infos = [_info(annotation) for annotation in annotations]
    classes: dict[Any, HasName] = {}
    for info in infos:
        _collect(info, classes)
    translator = _Translator(_names(classes))
    types = tuple(translator.expression(info) for info in infos)
    named = sorted(map(translator.named, classes.values()), key=lambda one: one.name)
    return TypeTable(types, tuple(named), _schemas(annotations))


def schema_of(annotation: object) -> dict[str, Any] | None:
    """A type's JSON schema, complete in itself; `None` if it has none."""
    try:
        schema = msgspec.json.schema(annotation, schema_hook=_no_schema)
    except (TypeError, ValueError, NameError, AttributeError):
        return None
    return _as_json(schema)


def _info(annotation: object) -> found.Type:
    try:
        return found.type_info(annotation)
    except (TypeError, ValueError, NameError, AttributeError):  # from the annotations of somebody else's class
        return found.CustomType(annotation)  # type: ignore[arg-type]  # no more than its name is used


def _schemas(annotations: Sequence[Any]) -> dict[str, Any]:
    possible = [annotation for annotation in annotations if schema_of(annotation) is not None]
    return _as_json(msgspec.json.schema_components(possible, schema_hook=_no_schema, ref_template=_REF)[1])


def _as_json(schema: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON: defaults can be tuples. Of what is no JSON its class is told."""
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(schema, enc_hook=lambda value: type(value).__qualname__)
    )
    return found


def _no_schema(_type: type) -> dict[str, Any]:
    return {}  # anything: a custom type's form is its codec's business


def _collect(root: found.Type, classes: dict[Any, HasName]) -> None:
    waiting = [root]
    while waiting:
        info = waiting.pop()
        if isinstance(info, HasName):
            if info.cls in classes:
                continue
            classes[info.cls] = info
        waiting.extend(_inside(info))


def _inside(info: found.Type) -> Iterator[found.Type]:
    if isinstance(info, HasFields):
        yield from (field.type for field in info.fields)
    elif isinstance(info, found.UnionType):
        yield from info.types
    elif isinstance(info, found.TupleType):
        yield from info.item_types
    elif isinstance(info, found.CollectionType):
        yield info.item_type
    elif isinstance(info, found.DictType | found.FrozenDictType):
        yield from (info.key_type, info.value_type)
    elif isinstance(info, found.Metadata):
        yield info.type


def _names(classes: Iterable[Any]) -> dict[Any, str]:
    """A name for each class: its own, and where two have the same, those with their modules. As msgspec's schemas."""
    by_name: dict[str, list[Any]] = {}
    for one in classes:
        by_name.setdefault(_plain(one, full=""), []).append(one)
    names = {}
    for name, same in by_name.items():
        for one in same:
            names[one] = name if len(same) == 1 else _plain(one, full=f"{one.__module__}.")
    return names


def _plain(cls: Any, full: str) -> str:  # noqa: ANN401  # a class, or an alias of a generic one
    own = getattr(cls, "__origin__", None)
    if own is None:
        name = cls.__qualname__ if full else cls.__name__
    else:
        arguments = ", ".join(getattr(one, "__qualname__", str(one)) for one in cls.__args__)
        name = f"{own.__name__}[{arguments}]"
    return _NOT_IN_A_NAME.sub("_", full + name)


class _Translator:
    """Says what msgspec has found in the catalogue's words; `names` are those of the classes."""

    def __init__(self, names: dict[Any, str]) -> None:
        self._names = names

    def named(self, info: HasName) -> wire.NamedType:
        name, doc = self._names[info.cls], _doc(info.cls)
        if isinstance(info, found.EnumType):
            return wire.Enumeration(name, tuple(wire.Member(one.name, one.value) for one in info.cls), doc)
        struct = info if isinstance(info, found.StructType) else None
        tag = None if struct is None else struct.tag
        return wire.Record(
            name=name,
            fields=tuple(self._field(one) for one in info.fields),
            doc=doc,
            array_like=struct.array_like if struct else isinstance(info, found.NamedTupleType),
            tag_field="" if struct is None or tag is None else struct.tag_field or "type",
            tag="" if tag is None else tag,
            closed=struct is not None and struct.forbid_unknown_fields,
        )

    def _field(self, field: found.Field) -> wire.Field:
        return wire.Field(field.encode_name, self.expression(field.type), field.required, _default(field))

    def expression(self, info: found.Type) -> wire.Type:  # noqa: PLR0911  # one for each kind
        if isinstance(info, HasName):
            return wire.Reference(self._names[info.cls])
        if isinstance(info, found.Metadata):
            return _sized(self.expression(info.type), info.extra_json_schema or {})
        if isinstance(info, found.UnionType):
            return wire.Union(tuple(self.expression(one) for one in info.types))
        if isinstance(info, found.TupleType):
            return wire.Tuple(tuple(self.expression(one) for one in info.item_types))
        if isinstance(info, found.CollectionType):
            return wire.Array(self.expression(info.item_type), info.min_length, info.max_length)
        if isinstance(info, found.DictType | found.FrozenDictType):
            return wire.Map(self.expression(info.key_type), self.expression(info.value_type))
        return _scalar(info)


def _scalar(info: found.Type) -> wire.Type:  # noqa: PLR0911  # one for each kind
    if isinstance(info, found.IntType):
        return _integer(info)
    if isinstance(info, found.FloatType):
        return wire.Float(info.ge, info.gt, info.le, info.lt)
    if isinstance(info, found.StrType):
        return wire.Text(info.min_length, info.max_length, info.pattern)
    if isinstance(info, found.BytesType | found.ByteArrayType | found.MemoryViewType):
        return wire.Binary(info.min_length, info.max_length)
    if isinstance(info, found.DateTimeType):
        return wire.Timestamp(info.tz)
    if isinstance(info, found.LiteralType):
        return wire.Literal(tuple(info.values))
    if isinstance(info, found.CustomType):
        return wire.Opaque(getattr(info.cls, "__qualname__", str(info.cls)))
    return _SIMPLE.get(type(info), wire.Opaque(type(info).__name__.removesuffix("Type")))


_SIMPLE: Final[dict[type, wire.Type]] = {
    found.AnyType: wire.Any(),
    found.RawType: wire.Any(),
    found.NoneType: wire.Null(),
    found.BoolType: wire.Boolean(),
    found.DateType: wire.Formatted("date"),
    found.TimeType: wire.Formatted("time"),
    found.TimeDeltaType: wire.Formatted("duration"),
    found.UUIDType: wire.Formatted("uuid"),
    found.DecimalType: wire.Formatted("decimal"),
}


def _integer(info: found.IntType) -> wire.Integer:
    lowest = [math.ceil(info.ge)] if info.ge is not None else []
    lowest += [math.floor(info.gt) + 1] if info.gt is not None else []
    highest = [math.floor(info.le)] if info.le is not None else []
    highest += [math.ceil(info.lt) - 1] if info.lt is not None else []
    multiple = None if info.multiple_of is None else int(info.multiple_of)
    return wire.Integer(max(lowest, default=None), min(highest, default=None), multiple)


def _sized(type_: wire.Type, schema: dict[str, Any]) -> wire.Type:
    """With the bounds of OpenAPI's formats: msgspec's own bounds end at 2**63-1."""
    bounds = _FORMATS.get(str(schema.get("format")))
    if not isinstance(type_, wire.Integer) or bounds is None:
        return type_
    lowest, highest = bounds
    return wire.Integer(
        lowest if type_.minimum is None else type_.minimum,
        highest if type_.maximum is None else type_.maximum,
        type_.multiple_of,
    )


_FORMATS: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


def _default(field: found.Field) -> str:
    value = field.default
    if value is msgspec.NODEFAULT:
        if field.default_factory not in {list, dict, set, frozenset, tuple, bytes, str}:
            return ""
        value = field.default_factory()
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        return ""


def _doc(cls: Any) -> str:  # noqa: ANN401  # a class, or an alias of a generic one
    doc = getattr(getattr(cls, "__origin__", cls), "__dict__", {}).get("__doc__")
    # A dataclass without a docstring gets its signature as one; an Enum before Python 3.13 "An enumeration.".
    if not isinstance(doc, str) or doc.startswith(f"{cls.__name__}(") or doc == "An enumeration.":
        return ""
    return inspect.cleandoc(doc)
