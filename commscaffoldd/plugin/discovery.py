"""Which plugins there are: files and packages in the configured folders, and installed entry points.

Nothing is imported here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.importing import EntryPointSource, FileSource

ENTRY_POINT_GROUP: Final = "commscaffoldd.plugins"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Source(Protocol):
    """Where a plugin comes from.

    Attributes:
        name: the plugin's name, which the configuration uses.
        root: its only file, or its package folder.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  see the class

    @property
    def root(self) -> Path: ...  # noqa: D102  see the class

    def load(self) -> object:
        """Import it: a module, or the object an entry point names. Raises whatever the plugin raises."""


def discover(folders: Sequence[Path]) -> tuple[dict[str, Source], list[PluginError]]:
    """All plugins by name, and what is wrong with the folders and names.

    Of two plugins with one name the first is kept, so that the rest of it is checked too.
    """
    found: dict[str, Source] = {}
    errors: list[PluginError] = []
    for folder in dict.fromkeys(folders):
        for entry in _entries(folder, errors):
            source = _file_source(entry, errors)
            if source is not None:
                _add(found, source, errors)
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        _add(found, EntryPointSource(entry_point.name, _entry_point_root(entry_point), entry_point), errors)
    return found, errors


def _entries(folder: Path, errors: list[PluginError]) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        reason = f"plugins.path: the folder {folder} does not exist"
    except NotADirectoryError:
        reason = f"plugins.path: {folder} is not a folder; name the folder that holds the plugins"
    except OSError as error:
        reason = f"plugins.path: the folder {folder} cannot be read: {error.strerror}"
    errors.append(PluginError("", reason))
    return ()


def _file_source(entry: Path, errors: list[PluginError]) -> FileSource | None:
    if entry.name.startswith(("_", ".")):
        return None
    if entry.is_dir():
        file, name = entry / "__init__.py", entry.name
        if not file.is_file():
            if any(entry.glob("*.py")):
                errors.append(
                    PluginError(
                        name,
                        "a folder with Python files, but without an __init__.py: add one, or let the "
                        "folder's name start with _ if it is not a plugin",
                        entry,
                    )
                )
            return None
    elif entry.suffix == ".py":
        file, name = entry, entry.stem
    else:
        return None
    if not _NAME.fullmatch(name):
        errors.append(
            PluginError(name, "a plugin's name is a letter, then letters, digits, _ and -", entry),
        )
        return None
    return FileSource(name, entry, file)


def _add(found: dict[str, Source], source: Source, errors: list[PluginError]) -> None:
    if (first := found.setdefault(source.name, source)) is not source:
        errors.append(
            PluginError(
                source.name,
                f"there are two plugins of this name: {first.root} and {source.root}; rename or remove one",
                source.root,
            )
        )


def _entry_point_root(entry_point: importlib.metadata.EntryPoint) -> Path:
    """The entry point's top package, without importing it; its text where there is none."""
    try:
        spec = importlib.util.find_spec(entry_point.module.partition(".")[0])
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return Path(entry_point.value)
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
