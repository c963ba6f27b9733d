"""What `start --dev` says, between the lines of the log."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from commscaffoldd.cli.dev.tree import Change
from commscaffoldd.log.colours import Colours, colours_for

_MOST: Final = 5  # files named in a line
_STDERR: Final = 2


def describe_changes(found: Sequence[Change]) -> str:
    """The files in a line: `plugins/greet.py changed, plugins/new.py new`."""
    named = [f"{shown(change.path)} {change.what}" for change in found[:_MOST]]
    more = len(found) - _MOST
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def shown(path: Path) -> str:
    """The path as a person in this folder writes it."""
    folder = Path.cwd()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


class Voice:
    """Lines on standard error, each written at once, so that none is torn by the log."""

    def __init__(self) -> None:
        self._colours: Colours = colours_for(_STDERR)

    def say(self, text: str) -> None:
        """Something that happens."""
        self._write([f"{self._time()} {text}"])

    def good(self, text: str) -> None:
        """What went well."""
        self._write([f"{self._time()} {self._colours.good}{text}{self._colours.end}"])

    def bad(self, text: str, reasons: Iterable[str] = ()) -> None:
        """What did not, and why."""
        head = f"{self._time()} {self._colours.bad}{text}{self._colours.end}"
        self._write([head, *(f"  {self._colours.bad}{reason}{self._colours.end}" for reason in reasons)])

    def _time(self) -> str:
        return f"{self._colours.faint}{time.strftime('%H:%M:%S')} dev{self._colours.end}"

    @staticmethod
    def _write(lines: Iterable[str]) -> None:
        os.write(_STDERR, "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
