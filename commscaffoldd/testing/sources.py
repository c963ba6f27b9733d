"""Which plugins are under test: from paths and names to what the plugin host loads."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from commscaffoldd.plugin.discovery import ENTRY_POINT_GROUP, Source
from commscaffoldd.plugin.importing import NAMESPACE, EntryPointSource, FileSource

Named = str | os.PathLike[str]
"""A plugin as a test names it: the path of its file or package folder, or the name of an installed one."""


class SubjectError(Exception):
    """What is under test is not said, or said wrongly; the text says what to write."""


@dataclasses.dataclass(frozen=True, slots=True)
class ImportedSource:
    """A plugin that the test has imported already, to have its types: its classes are the plugin's classes then."""

    name: str
    root: Path
    module: ModuleType

    def load(self) -> ModuleType:
        """The module as it was imported."""
        return self.module


def find_sources(named: Iterable[Named], folders: Sequence[Path]) -> dict[str, Source]:
    """The plugins by name.

    Args:
        named: paths, or names of installed plugins.
        folders: relative paths are taken from the first of these in which they exist.

    Raises:
        SubjectError: one is neither there nor installed, or two have the same name.
    """
    found: dict[str, Source] = {}
    for one in named:
        if not isinstance(one, str | os.PathLike):
            raise SubjectError(f"plugins=[..., {one!r}]: a plugin is named by its path, or its name: a str or a Path")
        source = _find(os.fspath(one), folders)
        if source.name in found:
            raise SubjectError(f"there are two plugins {source.name!r}: {found[source.name].root} and {source.root}")
        found[source.name] = source
    return found


def plugin_around(file: Path, top: Path) -> Path | None:
    """The plugin in whose folder a file lies: the outermost package around it.

    Args:
        file: the file.
        top: where to stop looking for a package; it may be one itself, or within one.
    """
    package: Path | None = None
    for folder in file.parents:
        if (folder / "__init__.py").is_file():
            package = folder
        elif package is not None or folder == top or not folder.is_relative_to(top):
            break
    return package


def _find(named: str, folders: Sequence[Path]) -> Source:
    places = [Path(os.path.abspath(folder / named)) for folder in folders]  # noqa: PTH100  # links stay links
    for place in places:
        if (place / "__init__.py").is_file():
            return _of_files(place.name, place, place / "__init__.py")
        if place.is_file():
            return _of_files(place.stem, place, place)
    installed = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=named)
    for entry_point in installed:
        return EntryPointSource(named, Path(entry_point.value), entry_point)
    looked = ", ".join(str(place) for place in dict.fromkeys(places))
    raise SubjectError(
        f"there is no plugin {named!r}: neither {looked} (a .py file, or a folder with an __init__.py) nor an "
        f"installed plugin of this name (an entry point in {ENTRY_POINT_GROUP!r})"
    )


def _of_files(name: str, root: Path, file: Path) -> Source:
    module = _imported(file)
    return FileSource(name, root, file) if module is None else ImportedSource(name, root, module)


def _imported(file: Path) -> ModuleType | None:
    """The module of this file, if somebody else than the plugin host has imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith(NAMESPACE) or name == "__main__":
            continue
        origin = getattr(module, "__file__", None)
        if (
            isinstance(origin, str)
            and origin.endswith(file.name)
            and os.path.realpath(origin) == os.path.realpath(file)
        ):
            return module
    return None
