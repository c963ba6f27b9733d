"""On which line of a TOML text each key stands: the parser does not tell, and an error wants its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import tomli

from commscaffoldd.config.errors import KeyPath

_STRING: Final = r"""
      \"\"\" (?: \\. | [^\\] )*? \"\"\" "{0,2}
    | ''' .*? ''' '{0,2}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
"""
_NOTHING = re.compile(r"(?: [\s] | \#[^\n]* )+", re.VERBOSE)
_HEADER = re.compile(rf"(\[\[?) ((?: {_STRING} | [^\]\n\"'] )+) \]", re.VERBOSE | re.DOTALL)
_KEY = re.compile(rf"((?: {_STRING} | [^=\n\"'] )+) =", re.VERBOSE | re.DOTALL)
_VALUE = re.compile(rf"(?: {_STRING} | \#[^\n]* | [^\[\]{{}}\n\"'\#] )+ | .", re.VERBOSE | re.DOTALL)


def locate_keys(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of each key and table header of a valid TOML text.

    Keys inside of arrays and inline tables are left out: the key above them has a line. Never raises;
    in a text that is not valid TOML, lines are missing or wrong.
    """
    places: dict[KeyPath, int] = {}
    last_of_array: dict[KeyPath, int] = {}
    table: KeyPath = ()
    at, line, counted = 0, 1, 0
    while at < len(text):
        if found := _NOTHING.match(text, at):
            at = found.end()
            continue
        line, counted = line + text.count("\n", counted, at), at
        if found := _HEADER.match(text, at):
            table = _enter(_parts(found[2]), last_of_array, is_array=found[1] == "[[")
            for end in range(1, len(table) + 1):
                places.setdefault(table[:end], line)
        elif found := _KEY.match(text, at):
            key = table + _parts(found[1])
            for end in range(len(table) + 1, len(key) + 1):
                places.setdefault(key[:end], line)
        at = _end_of_statement(text, found.end() if found else at)
    return places


def line_of(key: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of a key, or of the nearest key above that has one; `lines` is what `locate_keys` has found."""
    return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), None)


def _parts(raw: str) -> KeyPath:
    """The parts of a dotted key as written. The parser knows quotes and escapes, so it is asked."""
    try:
        value: object = tomli.loads(f"{raw.strip()} = 0")
    except ValueError:
        return ()
    parts: list[str] = []
    while isinstance(value, dict) and value:
        part, value = next(iter(value.items()))
        parts.append(part)
    return tuple(parts)


def _enter(parts: KeyPath, last_of_array: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """The path that a table header opens; a name of an array of tables stands for its last element."""
    path: KeyPath = ()
    for position, part in enumerate(parts, start=1):
        path = (*path, part)
        if is_array and position == len(parts):
            last_of_array[path] = last_of_array.get(path, -1) + 1
        if path in last_of_array:
            path = (*path, last_of_array[path])
    return path


def _end_of_statement(text: str, at: int) -> int:
    """Where the line ends on which no array or inline table is open any more."""
    depth = 0
    while at < len(text) and (found := _VALUE.match(text, at)):
        at = found.end()
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
        elif found[0] == "\n" and depth <= 0:
            break
    return at
