"""Importing plugins from files, as `commscaffoldd_plugins.NAME`, always from the source text as it is now.

Python's cached bytecode is trusted by modification time in whole seconds and by size: a plugin edited twice
within a second, to the same size, would be reloaded in its old form. So no bytecode is read or written for
plugins, which also leaves their folders as they are.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any, Final

NAMESPACE: Final = "commscaffoldd_plugins"


@dataclasses.dataclass(frozen=True, slots=True)
class FileSource:
    """A plugin in a folder: `root` is its only file or its package folder, `file` what is imported."""

    name: str
    root: Path
    file: Path

    def load(self) -> ModuleType:
        """Import it anew. Raises whatever the plugin raises."""
        _prepare()
        module_name = f"{NAMESPACE}.{self.name}"
        _forget(module_name)
        spec = importlib.util.spec_from_file_location(
            module_name,
            self.file,
            loader=_SourceLoader(module_name, str(self.file)),
            submodule_search_locations=[str(self.root)] if self.root != self.file else None,
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.file} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # before it runs: its own relative imports look it up
        try:
            spec.loader.exec_module(module)
        except BaseException:
            _forget(module_name)
            raise
        return module


@dataclasses.dataclass(frozen=True, slots=True)
class EntryPointSource:
    """A plugin that an installed distribution offers; `root` is its top package."""

    name: str
    root: Path
    entry_point: importlib.metadata.EntryPoint

    def load(self) -> object:
        """Import it. Raises whatever the plugin raises."""
        return self.entry_point.load()


class _SourceLoader(SourceFileLoader):
    def path_stats(self, path: str | bytes) -> Any:  # noqa: ANN401  the base class's type is a private one
        raise OSError(f"{path!r}: bytecode is not used for plugins")  # importlib then takes the source


class _SubmoduleFinder(MetaPathFinder):
    """Finds modules inside plugin packages, for the loader that does without bytecode."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        if path is None or not fullname.startswith(NAMESPACE + "."):
            return None
        for folder in path:
            finder = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES))
            spec = finder.find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def _prepare() -> None:
    if NAMESPACE not in sys.modules:
        parent = ModuleType(NAMESPACE, "The plugins, each one a module of this name's package.")
        parent.__path__ = []
        sys.modules[NAMESPACE] = parent
    if not any(isinstance(finder, _SubmoduleFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _SubmoduleFinder())


def _forget(module_name: str) -> None:
    for name in [n for n in sys.modules if n == module_name or n.startswith(module_name + ".")]:
        del sys.modules[name]
