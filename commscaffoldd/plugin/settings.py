"""Reading a table as a Struct, for plugins that do it by themselves; `declared.py` is the usual way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from commscaffoldd.config.errors import dotted
from commscaffoldd.plugin.errors import SettingsError
from commscaffoldd.plugin.settings_table import convert

Settings = TypeVar("Settings", bound=msgspec.Struct)


def read_settings(kind: type[Settings], settings: Mapping[str, Any]) -> Settings:
    """The settings as an instance of a msgspec Struct, whose fields are the allowed keys, types and defaults.

    Raises:
        SettingsError: unknown keys, missing keys, wrong types or values: all of them.
    """
    value, problems = convert(kind, settings, ())
    if problems:
        raise SettingsError("; ".join(f"{dotted(one.key)}: {one.text}" if one.key else one.text for one in problems))
    made: Settings = value
    return made
