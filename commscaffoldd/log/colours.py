"""Colours, where somebody sees them: on a terminal, unless it or its user has none (https://no-color.org)."""

from __future__ import annotations

import os
from typing import Final, NamedTuple


class Colours(NamedTuple):
    """Escape sequences; each begins a colour, `end` ends it."""

    bad: str
    doubtful: str
    good: str
    faint: str
    end: str


PLAIN: Final = Colours("", "", "", "", "")
ANSI: Final = Colours("\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[0m")


def colours_for(fd: int) -> Colours:
    """What may be written to this descriptor."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not os.isatty(fd):
        return PLAIN
    return ANSI
