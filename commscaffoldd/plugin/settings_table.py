"""A plugin's table in the configuration as the Struct that the plugin declares: all mistakes, each at its key."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from commscaffoldd.config.describe import describe_type, describe_value, did_you_mean
from commscaffoldd.config.errors import KeyPath
from commscaffoldd.core.error_text import describe
from commscaffoldd.plugin.annotations import members_of, strip
from commscaffoldd.plugin.errors import one_line


class Problem(NamedTuple):
    """Something wrong in the configuration: at which key, and what."""

    key: KeyPath
    text: str


def convert(kind: type[msgspec.Struct], table: Mapping[str, Any], key: KeyPath) -> tuple[Any, list[Problem]]:
    """The settings as the Struct, or `None` and everything that is wrong with them.

    Args:
        kind: its fields are the allowed keys, with their types, constraints and defaults.
        table: as the configuration has it.
        key: where it stands there.
    """
    tag_field, tag = kind.__struct_config__.tag_field, kind.__struct_config__.tag
    if tag_field is not None and table.get(tag_field) == tag:
        table = {name: found for name, found in table.items() if name != tag_field}
    fields = {field.encode_name: field for field in structs.fields(kind)}
    problems = [Problem((*key, name), _unknown(name, fields)) for name in table if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[field.name], wrong = _value(field.type, table[name], (*key, name))
            problems += wrong
        elif field.required:
            problems.append(Problem(key, f"{name} is missing; allowed: {_allowed(field.type)}"))
    if problems:
        return None, problems
    try:
        return kind(**values), []
    except (TypeError, ValueError) as error:  # what only __post_init__ can see
        return None, [Problem(key, one_line(str(error)))]
    except Exception as error:  # noqa: BLE001  the plugin's own code
        return None, [Problem(key, _failed(error))]


def _unknown(name: str, known: Iterable[str]) -> str:
    return f"unknown key{did_you_mean(name, known) or '; allowed: ' + (', '.join(known) or 'none')}"


def _value(kind: Any, found: object, key: KeyPath) -> tuple[Any, list[Problem]]:  # noqa: ANN401  an annotation
    bare = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    bare, _ = strip(bare, type(None))
    if isinstance(found, Mapping):
        if _is_struct(bare):
            return convert(bare, found, key)
        if len(choices := [one for one in members_of(bare) if _is_struct(one)]) > 1:
            return _chosen(choices, found, key)
    try:
        value = msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        return None, list(_problems(kind, found, key, error))
    except Exception as error:  # noqa: BLE001  the plugin's own code
        return None, [Problem(key, _failed(error))]
    return value, []


def _chosen(kinds: list[type[msgspec.Struct]], table: Mapping[str, Any], key: KeyPath) -> tuple[Any, list[Problem]]:
    """One of several tagged Structs: the one whose tag the table has."""
    tag_field = str(kinds[0].__struct_config__.tag_field)  # they have the same: msgspec would not take them else
    by_tag = {kind.__struct_config__.tag: kind for kind in kinds}
    allowed = " or ".join(describe_value(tag) for tag in by_tag)
    if tag_field not in table:
        return None, [Problem(key, f"{tag_field} is missing; allowed: {allowed}")]
    tag = table[tag_field]
    if not isinstance(tag, str | int) or tag not in by_tag:
        return None, [Problem((*key, tag_field), f"found {describe_value(tag)}; allowed: {allowed}")]
    return convert(by_tag[tag], table, key)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _failed(error: Exception) -> str:
    what = describe(error)
    return one_line(f"the plugin's own check of it failed: {what}")


def _problems(kind: Any, found: object, key: KeyPath, error: Exception) -> Iterator[Problem]:  # noqa: ANN401
    item = _item_of(kind)
    if item is not None and isinstance(found, list):
        inside = [problem for at, one in enumerate(found) for problem in _value(item, one, (*key, at))[1]]
        if inside:
            yield from inside
            return
    hint = ""
    allowed = msgspec.inspect.type_info(kind)
    if isinstance(found, str) and isinstance(allowed, msgspec.inspect.LiteralType):
        hint = did_you_mean(found, [word for word in allowed.values if isinstance(word, str)])
    words = _allowed(kind)
    reason = f"allowed: {words}{hint}" if words else one_line(str(error)).replace(" - at `$`", "")
    yield Problem(key, f"found {describe_value(found)}; {reason}")


def _item_of(kind: Any) -> Any | None:  # noqa: ANN401
    """The type of an array's elements; `None` if the type is no array of one type."""
    bare = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    arguments = typing.get_args(bare)
    if typing.get_origin(bare) in (list, set, frozenset) and arguments:
        return arguments[0]
    is_array = typing.get_origin(bare) is tuple and len(arguments) == 2 and arguments[1] is ...  # noqa: PLR2004
    return arguments[0] if is_array else None


def _allowed(kind: Any) -> str:  # noqa: ANN401
    """What is allowed for a field, with its description if there is one; empty if there are no words for its type."""
    described = msgspec.inspect.type_info(kind)
    schema = (described.extra_json_schema or {}) if isinstance(described, msgspec.inspect.Metadata) else {}
    about = schema.get("description")
    words = _words(described)
    return f"{words} ({one_line(about)})" if words and isinstance(about, str) else words


def _words(described: msgspec.inspect.Type) -> str:  # noqa: PLR0911  # a table of cases
    match described:
        case msgspec.inspect.Metadata():
            return _words(described.type)
        case msgspec.inspect.StrType():
            return _string(described)
        case msgspec.inspect.StructType() | msgspec.inspect.DictType() | msgspec.inspect.TypedDictType():
            return "a table"
        case msgspec.inspect.ListType() | msgspec.inspect.SetType() | msgspec.inspect.VarTupleType():
            inner = _words(described.item_type)
            return f"an array, each element {inner}" if inner else "an array"
        case msgspec.inspect.UnionType():
            each = [_words(one) for one in described.types if not isinstance(one, msgspec.inspect.NoneType)]
            return " or ".join(each) if all(each) else ""
        case msgspec.inspect.EnumType():
            return " or ".join(describe_value(one.value) for one in described.cls)
        case _:
            try:
                return describe_type(described)
            except TypeError:
                return ""


def _string(allowed: msgspec.inspect.StrType) -> str:
    bounds = []
    if allowed.min_length is not None:
        bounds.append(f"at least {allowed.min_length}")
    if allowed.max_length is not None:
        bounds.append(f"at most {allowed.max_length}")
    length = f" of {' and '.join(bounds)} characters" if bounds else ""
    return f"a string{length}" + (f" that matches {allowed.pattern}" if allowed.pattern is not None else "")
