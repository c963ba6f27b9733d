"""Collects the errors of one configuration while it is read, so that all are listed at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from commscaffoldd.config.errors import LONGEST_PROBLEM, ConfigError, ConfigErrors, KeyPath, dotted
from commscaffoldd.config.lines import line_of


class Findings:
    """The errors so far. Belongs to the one call that reads a configuration."""

    def __init__(self, path: Path, lines: Mapping[KeyPath, int]) -> None:
        """`lines` says on which line of the file at `path` each key stands."""
        self._path = path
        self._lines = lines
        self._errors: list[ConfigError] = []
        self._wrong: set[KeyPath] = set()
        self._above_wrong: set[KeyPath] = set()

    def add(self, key: KeyPath, problem: str) -> None:
        """Note that something is wrong at a key; the line is that of the nearest key above which has one."""
        if len(problem) > LONGEST_PROBLEM:
            problem = problem[: LONGEST_PROBLEM - 1] + "…"
        self._errors.append(ConfigError(self._path, line_of(key, self._lines), dotted(key), problem))
        self._wrong.add(key)
        self._above_wrong.update(key[:end] for end in range(len(key)))

    def concern(self, key: KeyPath) -> bool:
        """Whether a value at, above or below this key is wrong, so that checks of it would mislead."""
        return key in self._above_wrong or any(key[:end] in self._wrong for end in range(len(key) + 1))

    def raise_if_any(self) -> None:
        """Raise ConfigErrors, in the order of the file, if anything was found."""
        if self._errors:
            raise ConfigErrors(sorted(self._errors, key=lambda error: error.line or 0))
