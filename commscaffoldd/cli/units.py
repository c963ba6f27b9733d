"""Numbers for people: durations and sizes."""

from __future__ import annotations

from typing import Final

_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_STEP: Final = 1024


def duration(seconds: float) -> str:
    """Seconds in their two largest units: `3 h 12 min`."""
    rest = max(0, int(seconds))
    for index, (size, unit) in enumerate(_UNITS):
        if rest >= size:
            first = f"{rest // size} {unit}"
            if index + 1 == len(_UNITS):
                return first
            next_size, next_unit = _UNITS[index + 1]
            second = rest % size // next_size
            return f"{first} {second} {next_unit}" if second else first
    return "0 s"


def size(count: float) -> str:
    """Bytes in a unit that keeps the number short: `41.3 MiB`."""
    for unit in _SIZES[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} {_SIZES[-1]}"


def counted(count: int, noun: str) -> str:
    """A number of things: `1 worker`, `1,234 connections`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(count: float) -> str:
    """A count with its thousands apart: `1,234,567`."""
    return f"{count:,}"
