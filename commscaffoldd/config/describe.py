"""Values and types in the words of a person who writes TOML: what was found, and what is allowed."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Iterable
from typing import Final

from msgspec import inspect

_LONGEST_STRING: Final = 80
_PRINTED_BITS: Final = 128  # an integer of thousands of digits cannot be printed: int() to str is limited


def describe_value(value: object) -> str:  # noqa: PLR0911  # a table of cases
    """What was found, in one short line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = json.dumps(value, ensure_ascii=not value.isprintable())
            return text if len(text) <= _LONGEST_STRING else f'{text[:_LONGEST_STRING]}…" (shortened)'
        case int():
            bits = value.bit_length()
            return str(value) if bits <= _PRINTED_BITS else f"an integer of {bits} bits"
        case float():
            return repr(value)
        case list():
            return "an array" if value else "an empty array"
        case dict():
            return "a table"
        case dt.date() | dt.time():
            return f"the date or time {value}"
        case _:
            return f"a value of type {type(value).__name__}"


def describe_type(allowed: inspect.Type) -> str:  # noqa: PLR0911  # a table of cases
    """What is allowed for a key of this type, with its bounds."""
    match allowed:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer" + _describe_bounds(allowed)
        case inspect.FloatType():
            return "a number" + _describe_bounds(allowed)
        case inspect.StrType():
            return "a string without control characters"
        case inspect.LiteralType():
            *most, last = [json.dumps(value) for value in allowed.values]
            return f"{', '.join(most)} or {last}" if most else last
        case inspect.VarTupleType():
            return f"an array{_describe_length(allowed)}, each element {describe_type(allowed.item_type)}"
        case inspect.Metadata():
            return describe_type(allowed.type)
        case _:
            raise TypeError(f"no words for {allowed!r}: the schema has a type that TOML errors cannot describe yet")


def _describe_bounds(number: inspect.IntType | inspect.FloatType) -> str:
    if number.ge is not None and number.le is not None:
        return f" from {_plain(number.ge)} to {_plain(number.le)}"
    words = (("above", number.gt), ("at least", number.ge), ("below", number.lt), ("at most", number.le))
    bounds = [f"{word} {_plain(bound)}" for word, bound in words if bound is not None]
    return " " + " and ".join(bounds) if bounds else ""


def _describe_length(array: inspect.VarTupleType) -> str:
    if array.min_length is not None and array.max_length is not None:
        return f" of {array.min_length} to {array.max_length} elements"
    if array.min_length is not None:
        return f" of at least {array.min_length} elements"
    return "" if array.max_length is None else f" of at most {array.max_length} elements"


def _plain(bound: float) -> str:
    """Without exponent: 1000000000, not 1e+09."""
    return str(int(bound)) if bound == int(bound) else f"{bound:f}".rstrip("0")


def did_you_mean(given: str, possible: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing if no possible word is near."""
    near = difflib.get_close_matches(given[:_LONGEST_STRING], list(possible), n=1)
    return f"; did you mean {json.dumps(near[0])}?" if near else ""
