"""Writes the effective configuration: the file's values, defaults for the rest, paths absolute."""

from __future__ import annotations

from typing import Any

import msgspec
import tomli_w
from msgspec import structs

from commscaffoldd.config.errors import shown
from commscaffoldd.config.schema import Config


def dump(config: Config) -> str:
    """The configuration as TOML. Loaded again, it gives an equal configuration, but for `path`."""
    document: dict[str, Any] = {}
    for name, value in structs.asdict(config).items():
        if name == "plugin":
            document[name] = value  # as the file has it: to_builtins would make dates into strings
        elif name not in ("path", "overrides"):
            document[name] = msgspec.to_builtins(value)
    return f"# The effective configuration of {shown(config.path)}\n\n{tomli_w.dumps(document)}"
