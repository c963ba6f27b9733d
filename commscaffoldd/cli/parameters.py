"""Kinds of arguments that click does not know, as callbacks of its arguments."""

from __future__ import annotations

from typing import Final

import click

from commscaffoldd.capture.filter import peer_matcher
from commscaffoldd.core.address import Address

_LARGEST_ID: Final = (1 << 64) - 1
_FASTEST: Final = 1e9
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def to_address(_context: click.Context, _parameter: click.Parameter, value: str) -> Address:
    """`host:port`, `[v6]:port`, `unix:/path`; anything else is a usage error."""
    try:
        return Address.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def to_message_id(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    """A message ID, decimal or as 0x2a; anything else is a usage error."""
    try:
        number = int(value, 16 if value.lower().startswith("0x") else 10)
    except ValueError:
        number = -1
    if not 0 <= number <= _LARGEST_ID:
        raise click.BadParameter(f"{value!r} is not a message ID; allowed: a number from 0 on, also as 0x2a")
    return number


def to_optional_message_id(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """The same for an option that may be left out."""
    return None if value is None else to_message_id(context, parameter, value)


def to_message_ids(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    """The same for an option that may be repeated."""
    return tuple(to_message_id(context, parameter, value) for value in values)


def to_size(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    """Bytes, with a unit perhaps: `1048576`, `1M`."""
    digits, unit = (value[:-1], value[-1:].upper()) if value[-1:].upper() in _UNITS else (value, "")
    if not digits.isascii() or not digits.isdigit() or not int(digits):
        raise click.BadParameter(f"{value!r} is no size; allowed: a number of bytes from 1 on, also as 64K, 256M, 2G")
    return int(digits) * _UNITS.get(unit, 1)


def to_peer(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Whose messages, as `CaptureFilter.peer`; anything else is a usage error."""
    try:
        peer_matcher(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


def to_speed(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """How fast: a number above 0, or `max`, which is 0."""
    try:
        speed = 0.0 if value == "max" else float(value)
    except ValueError:
        speed = -1.0
    if value != "max" and not 0 < speed < _FASTEST:
        raise click.BadParameter(
            f"{value!r} is no speed; allowed: max, or a number above 0 and below {_FASTEST:,.0f}"
        )
    return speed
