"""What is wrong with a configuration, each thing with its place."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands: `("listen", 0, "address")`."""

LONGEST_PROBLEM: Final = 600

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(key: Sequence[str | int]) -> str:
    """A key as a person reads it: `listen[0].address`; parts that TOML would quote are quoted."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else json.dumps(part)
        text += f".{name}" if text else name
    return text


def shown(path: Path) -> str:
    """A path for a terminal: one line, and bytes that are not UTF-8 are shown, not raised about."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing that is wrong.

    Attributes:
        file: the configuration file.
        line: counted from 1; `None` if the error has no line of its own.
        key: dotted, such as `listen[0].address`; empty if the error is not about a key.
        problem: what was found and what is allowed, in one line.
    """

    file: Path
    line: int | None
    key: str
    problem: str

    def __str__(self) -> str:
        """`file:line: key: problem`, in one line."""
        place = shown(self.file) if self.line is None else f"{shown(self.file)}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.problem) if part)


class ConfigErrors(Exception):  # noqa: N818  # it is several
    """A configuration that cannot be used.

    `errors` has everything that was found wrong, in the order of the file; str() is one a line.
    """

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(map(str, self.errors)))

    def __reduce__(self) -> tuple[type[ConfigErrors], tuple[list[ConfigError]]]:
        """Pickled by what it was made from: the text alone would not make one again."""
        return type(self), (self.errors,)
