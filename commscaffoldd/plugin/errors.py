"""What can be wrong with plugins, said so that the author finds the line: plugin, file, line, reason.

A plugin's failure never shows a traceback. Its place is the innermost line *inside the plugin's own files*:
where `import requests` stands, not where importlib gave up.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import msgspec

from commscaffoldd.codecs import protobuf

MAX_REASON = 600

ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None]"


@dataclasses.dataclass(frozen=True, slots=True)
class PluginError:
    """One thing that is wrong.

    Attributes:
        plugin: the plugin's name, "" where the error belongs to none (a missing folder).
        reason: what is wrong and what is allowed; one line.
        file: the plugin's file, where one is to blame.
        line: the line in it, from 1.
        key: of an error in the plugin's settings: the key in the configuration, whose file and line are to be told.
        cause: what the plugin raised, with its traceback from the plugin's first line on; only for the log.
    """

    plugin: str
    reason: str
    file: Path | None = None
    line: int | None = None
    key: tuple[str | int, ...] = ()
    cause: ExcInfo | None = dataclasses.field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """The error as one line, `plugin NAME: FILE:LINE: reason`."""
        parts = [f"plugin {self.plugin}"] if self.plugin else []
        if self.file is not None:
            parts.append(str(self.file) if self.line is None else f"{self.file}:{self.line}")
        return ": ".join([*parts, self.reason])


class PluginErrors(Exception):  # noqa: N818  it is a list of errors, and says so
    """All that is wrong with the plugins, in `errors`; `str()` gives one line an error."""

    def __init__(self, errors: Iterable[PluginError]) -> None:
        self.errors = list(errors)
        super().__init__(self.errors)

    def __str__(self) -> str:
        """One error a line."""
        return "\n".join(str(error) for error in self.errors)


class SettingsError(ValueError):
    """The plugin's table in the configuration is wrong; the text lists all that is."""


def from_exception(plugin: str, root: Path, error: BaseException, doing: str = "") -> PluginError:
    """The error for an exception that left the plugin's code.

    Args:
        plugin: the plugin's name.
        root: the plugin's only file, or its package folder.
        error: what was raised.
        doing: what the plugin was asked to do, put before the reason: "create_plugin failed".
    """
    file, line = _place(root, error)
    reason = _reason(plugin, root, error)
    return PluginError(plugin, f"{doing}: {reason}" if doing else reason, file, line, cause=_cause(root, error))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The half sentence that helps after an unknown name: a near match if there is one, and what exists."""
    near = difflib.get_close_matches(word, known, n=1)
    there = ", ".join(sorted(known)) or "none"
    return f"did you mean {near[0]!r}? (there are: {there})" if near else f"there are: {there}"


def one_line(text: str) -> str:
    """The text on one line, with control characters escaped, and shortened when it is endless."""
    flat = " ".join(text.split())
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in flat)
    return safe if len(safe) <= MAX_REASON else safe[:MAX_REASON] + "…"


def _place(root: Path, error: BaseException) -> tuple[Path, int | None]:
    if isinstance(error, SyntaxError) and error.filename and _inside(root, error.filename):
        return Path(error.filename), error.lineno or None
    place: tuple[Path, int | None] = (root / "__init__.py" if root.is_dir() else root, None)
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _inside(root, frame.f_code.co_filename):
            place = (Path(frame.f_code.co_filename), line)
    return place


def _cause(root: Path, error: BaseException) -> ExcInfo | None:
    if isinstance(error, SettingsError | msgspec.ValidationError):
        return None  # the configuration's fault, which no traceback explains
    trace = error.__traceback__
    while trace is not None and not _inside(root, trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return type(error), error, trace


def _inside(root: Path, filename: str) -> bool:
    return Path(filename).is_relative_to(root)


def _reason(plugin: str, root: Path, error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r}): a plugin must not end the process"
    if isinstance(error, SettingsError):
        return one_line(f"[plugin.{plugin}]: {error}")
    if isinstance(error, msgspec.ValidationError):
        # msgspec calls the settings table "$"; the user calls it [plugin.NAME].
        text = one_line(str(error)).replace("`$.", f"`[plugin.{plugin}] ").replace("`$`", "the table")
        return text if f"[plugin.{plugin}]" in text else f"[plugin.{plugin}]: {text}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  a plugin's own exception class may fail even here
        text = "(its text cannot be shown)"
    if isinstance(error, SyntaxError):
        source = f": {error.text.strip()}" if isinstance(error.text, str) and error.text.strip() else ""
        text = f"{error.msg or ''}{source}"
    name = type(error).__name__
    return one_line(f"{name}: {text}" if text else name) + _import_hint(root, error)


def _import_hint(root: Path, error: BaseException) -> str:
    if not isinstance(error, ModuleNotFoundError) or not isinstance(error.name, str) or not error.name.isprintable():
        return ""
    if error.name in ("google", "google.protobuf"):
        return f" (protobuf messages need one more package: {protobuf.INSTALL})"
    if "." in error.name or not error.name:
        return ""
    if root.is_dir() and ((root / f"{error.name}.py").is_file() or (root / error.name).is_dir()):
        return f" (within the package write: from . import {error.name})"
    return f" (the daemon runs with {sys.executable}: is it installed there?)"
