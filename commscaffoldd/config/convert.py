"""From TOML tables to the structs of the schema, each key on its own: one error hides no other."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import inspect, structs

from commscaffoldd.config.describe import describe_type, describe_value, did_you_mean
from commscaffoldd.config.errors import KeyPath, dotted
from commscaffoldd.config.findings import Findings

SectionType = TypeVar("SectionType", bound=msgspec.Struct)

_WRONG: Final = object()


def convert_section(
    section: type[SectionType],
    table: object,
    key: KeyPath,
    findings: Findings,
    elsewhere: Mapping[str, str] = types.MappingProxyType({}),
) -> SectionType | None:
    """Make a section from a table. Wrong keys are noted in the findings and take their defaults.

    `elsewhere` says where names exist that are unknown here. Returns `None` if the table is none, or if a
    key that has no default is missing or wrong.
    """
    if not isinstance(table, dict):
        findings.add(key, f"found {describe_value(table)}; allowed: a table, written [{dotted(key)}]")
        return None
    fields = {field.name: field for field in structs.fields(section)}
    report_unknown(table, fields, key, findings, elsewhere)
    values: dict[str, Any] = {}
    complete = True
    for name, field in fields.items():
        value = _WRONG
        if name in table:
            value = _convert_value(field.type, table[name], (*key, name), findings)
        elif field.required:
            allowed = describe_type(inspect.type_info(field.type))
            findings.add(key, f"{name} is missing; allowed: {allowed}")
        if value is not _WRONG:
            values[name] = value
        elif field.required:
            complete = False
    return section(**values) if complete else None


def report_unknown(
    table: Mapping[str, object],
    known: Iterable[str],
    key: KeyPath,
    findings: Findings,
    elsewhere: Mapping[str, str],
) -> None:
    """Note every key of the table that is not known. `elsewhere` says where such a name does exist."""
    known = list(known)
    for name in table:
        if name in known:
            continue
        # The very name in another section says more than a similar one in this.
        hint = f"; did you mean {elsewhere[name]}?" if name in elsewhere else did_you_mean(name, known)
        findings.add((*key, name), f"unknown key{hint or '; allowed: ' + ', '.join(known)}")


def _convert_value(kind: Any, value: object, key: KeyPath, findings: Findings) -> object:  # noqa: ANN401
    """The value as the schema's type, or `_WRONG` with the errors noted."""
    item_kind = _item_kind(kind)
    if item_kind is not None and isinstance(value, list):
        items = [_convert_value(item_kind, item, (*key, at), findings) for at, item in enumerate(value)]
        if _WRONG in items:
            return _WRONG
    try:
        if _is_beyond_types(value):
            raise msgspec.ValidationError
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        allowed = inspect.type_info(kind)
        hint = ""
        if isinstance(value, str) and isinstance(allowed, inspect.LiteralType):
            hint = did_you_mean(value, [word for word in allowed.values if isinstance(word, str)])
        findings.add(key, f"found {describe_value(value)}; allowed: {describe_type(allowed)}{hint}")
        return _WRONG


def _item_kind(kind: Any) -> Any | None:  # noqa: ANN401
    """The type of an array's elements; `None` if the type is no array."""
    bare = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    return typing.get_args(bare)[0] if typing.get_origin(bare) is tuple else None


def _is_beyond_types(value: object) -> bool:
    """What the types let through and nobody wants: NaN passes every bound, a NUL ends every path."""
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and any(ord(char) < ord(" ") or ord(char) == 0x7F for char in value)  # noqa: PLR2004
