"""Where a daemon listens, for people: addresses with their layouts, and a command to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from commscaffoldd.config.schema import Config
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS

WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound here
_PROGRAM: Final = "commscaffoldd"


def listening_lines(addresses: Sequence[str], layouts: Sequence[str]) -> list[str]:
    """Each address with its layout, as bound."""
    return [f"{address} (layout {layout})" for address, layout in zip(addresses, layouts, strict=True)]


def command_to_try(config: Config, addresses: Sequence[str]) -> str:
    """A command that speaks to the first listener, whichever message IDs its plugins handle."""
    words = [_program(), "console", _reachable(addresses[0] if addresses else config.listen[0].address)]
    layout = config.listen[0].layout
    if layout in PRESETS:
        words += ["--layout", layout] if layout != "standard" else []
    else:
        words += ["--config", str(config.path)]
    return shlex.join(words)


def _reachable(address: str) -> str:
    parsed = Address.parse(address)
    if parsed.path:
        return address
    return str(Address(WILDCARDS.get(parsed.host, parsed.host), parsed.port))


def _program() -> str:
    """How this program can be called again: by name where it is in $PATH, else as it was called."""
    called = Path(sys.argv[0])
    return str(called) if called.name == _PROGRAM and shutil.which(_PROGRAM) is None else _PROGRAM
