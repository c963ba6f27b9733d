"""Turning a plugin's `[plugin.NAME]` table into a typed object, with every mistake in it named at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from commscaffoldd.plugin.errors import SettingsError, did_you_mean

Settings = TypeVar("Settings", bound=msgspec.Struct)


def read_settings(kind: type[Settings], settings: Mapping[str, Any]) -> Settings:
    """The settings as an instance of a msgspec Struct, whose fields are the allowed keys, types and defaults.

    msgspec alone stops at the first mistake and does not say which keys exist, so keys are looked at one by
    one.

    Raises:
        SettingsError: unknown keys, missing keys, wrong types or values: all of them.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    wrong = [f"unknown key {key!r}: {did_you_mean(key, fields.keys())}" for key in settings if key not in fields]
    for key, field in fields.items():
        if key not in settings:
            if field.required:
                wrong.append(f"{key} is missing")
            continue
        try:
            msgspec.convert(settings[key], field.type)
        except msgspec.ValidationError as error:
            wrong.append(f"{key} = {settings[key]!r}: {error}".replace(" - at `$`", ""))
    if not wrong:
        try:
            return msgspec.convert(settings, kind)
        except msgspec.ValidationError as error:  # what only __post_init__ can see
            wrong.append(str(error).replace(" - at `$`", ""))
    raise SettingsError("; ".join(wrong))
