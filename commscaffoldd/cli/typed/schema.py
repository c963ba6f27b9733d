"""Makes of a value out of JSON what a JSON schema means: where that says base64, bytes.

Whether the value is right otherwise is not looked at: the daemon does that, and its errors name the field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fitted(value: object, schema: Schema) -> object:
    """The value with bytes where they belong. Raises ValueError, with the place, for what is no base64."""
    return _fit(value, schema, schema.get("$defs") or {}, "$")


def _fit(value: object, schema: Schema, defs: Mapping[str, Schema], place: str) -> object:
    found = _choose(value, schema, defs)
    if isinstance(value, str) and found.get("contentEncoding") == "base64":
        return _bytes(value, place)
    if isinstance(value, dict):
        properties: Mapping[str, Schema] = found.get("properties") or {}
        rest = found.get("additionalProperties")
        others: Schema = rest if isinstance(rest, dict) else {}
        return {key: _fit(one, properties.get(key, others), defs, f"{place}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        first: list[Schema] = found.get("prefixItems") or []
        items = found.get("items")
        each: Schema = items if isinstance(items, dict) else {}
        return [
            _fit(one, first[index] if index < len(first) else each, defs, f"{place}[{index}]")
            for index, one in enumerate(value)
        ]
    return value


def _choose(value: object, schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    """The alternative that the value means: the first with its JSON type and, in tagged unions, its tag."""
    options = list(_alternatives(schema, defs))
    typed = [one for one in options if _has_type(value, one)]
    if isinstance(value, str):  # text that may be text is text
        return next((one for one in typed if "contentEncoding" not in one), typed[0] if typed else {})
    return next((one for one in typed if _has_tag(value, one)), typed[0] if typed else {})


def _alternatives(schema: Schema, defs: Mapping[str, Schema], depth: int = 32) -> Iterator[Schema]:
    reference = schema.get("$ref")
    if depth and isinstance(reference, str):
        yield from _alternatives(defs.get(reference.rpartition("/")[2], {}), defs, depth - 1)
    elif depth and isinstance(schema.get("anyOf"), list):
        for one in schema["anyOf"]:
            yield from _alternatives(one, defs, depth - 1)
    else:
        yield schema


def _has_type(value: object, schema: Schema) -> bool:
    kinds = _TYPES.get(str(schema.get("type")))
    return kinds is None or isinstance(value, kinds)


def _has_tag(value: object, schema: Schema) -> bool:
    """Whether no property that has one allowed value only has another."""
    if not isinstance(value, dict):
        return True
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    return all(
        key not in properties or "enum" not in properties[key] or one in properties[key]["enum"]
        for key, one in value.items()
    )


def _bytes(text: str, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{place} is bytes: in JSON they are base64, which {text[:40]!r} is not") from None
