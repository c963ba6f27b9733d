"""From templates to files. Nothing that is there is ever overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final

SUFFIX: Final = ".tmpl"
"""A template's name is the file's and this: so no tool takes one for what it is to become."""

_PLACEHOLDER: Final = re.compile(r"\{\{(\w+)\}\}")


class InTheWayError(Exception):
    """Files that were to be made are there already; nothing has been made.

    Attributes:
        paths: those files, or what stands in a folder's place.
    """

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(paths)
        self.paths = paths

    def __str__(self) -> str:
        """One a line."""
        return "\n".join(str(path) for path in self.paths)


def render(template: str, values: Mapping[str, object]) -> dict[PurePosixPath, str]:
    """A template's files: path within the new folder, and text.

    Args:
        template: a folder below `templates`.
        values: for each `{{placeholder}}`, in texts and in file names.

    Raises:
        KeyError: a placeholder has no value.
    """
    root = resources.files(__package__) / "templates" / template
    return {
        PurePosixPath(_filled(str(path), values).removesuffix(SUFFIX)): _filled(entry.read_text("utf-8"), values)
        for path, entry in _files(root, PurePosixPath())
    }


def write(files: Mapping[Path, str]) -> None:
    """Make these files, and their folders. All or, if anything is in the way, none.

    Raises:
        InTheWayError: some are there.
        OSError: one cannot be made.
    """
    in_the_way = {path for path in files if path.exists() or path.is_symlink()}
    in_the_way |= {parent for path in files for parent in path.parents if parent.exists() and not parent.is_dir()}
    if in_the_way:
        raise InTheWayError(sorted(in_the_way))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:  # x: who comes in between loses nothing
            file.write(text)


def _files(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield below / entry.name, entry


def _filled(text: str, values: Mapping[str, object]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), text)
