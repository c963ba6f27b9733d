"""The files that a daemon is made of, and in which state they are.

They are looked at again and again, by stat(2): that finds what inotify misses (shared folders of virtual machines and
containers, network file systems), needs no watch for each folder and no dependency, and sees a file that an editor
has put in another's place like any other change. A few hundred files cost a millisecond.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import load
from commscaffoldd.plugin.discovery import discover

_SOURCE: Final = frozenset({".py", ".toml"})
# Hidden files, Python's cache, what editors write beside the file (vim, Emacs, JetBrains), what programs keep open.
_IGNORED: Final = re.compile(
    r"\..*|__pycache__|.*\.py[co]|.*~|#.*#|4913|___jb_.*|.*\.(?:swp|tmp|temp|bak|log|pid|lock|sock)"
    r"|.*\.(?:db|sqlite3?)(?:-(?:journal|wal|shm))?"
)


class Stamp(NamedTuple):
    """What shows that a file is another than before."""

    modified: int
    size: int
    inode: int


Snapshot: TypeAlias = Mapping[Path, Stamp]


class Change(NamedTuple):
    """A file, and what has become of it: `changed`, `new` or `gone`."""

    path: Path
    what: str

    @property
    def in_source(self) -> bool:
        """Whether it is something that people write, and plugins do not."""
        return self.path.suffix in _SOURCE


class Tree:
    """Configuration file, plugin folders with all that is below them, and installed plugins' packages.

    Attributes:
        left_out: files that are not looked at.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._config_stamp: Stamp | None = None
        self._roots: tuple[Path, ...] = ()
        self.left_out: set[Path] = set()

    def look(self) -> Snapshot:
        """All files with their stamps. What cannot be read is not there."""
        found: dict[Path, Stamp] = {}
        stamp = _stamp(self._config)
        if stamp is not None:
            found[self._config] = stamp
        if stamp != self._config_stamp:
            self._config_stamp = stamp
            with contextlib.suppress(ConfigErrors):  # it is being edited; the plugins are where they were
                self._roots = tuple(_roots(self._config))
        seen: set[tuple[int, int]] = set()
        for root in self._roots:
            found.update((path, stamp) for path, stamp in _files(root, seen) if path not in self.left_out)
        return found

    def leave_out(self, path: Path) -> None:
        """Do not look at this file any more."""
        self.left_out.add(path)


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What is different, by path."""
    found = [Change(path, "gone") for path in before.keys() - after.keys()]
    found += [Change(path, "new") for path in after.keys() - before.keys()]
    found += [Change(path, "changed") for path in before.keys() & after.keys() if before[path] != after[path]]
    return sorted(found)


def _roots(config: Path) -> Iterable[Path]:
    yield from map(Path, load(config).plugins.path)
    installed, _ = discover(())
    yield from (source.root for source in installed.values())


def _files(root: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, Stamp]]:
    """Regular files at and below `root`, each folder once, whatever links lead to it."""
    try:
        status = root.stat()
        if not root.is_dir():
            yield root, _stamp_of(status)
            return
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = list(os.scandir(root))
    except OSError:
        return
    for entry in entries:
        if _IGNORED.fullmatch(entry.name):
            continue
        with contextlib.suppress(OSError):  # it has gone meanwhile
            if entry.is_dir():
                yield from _files(Path(entry.path), seen)
            elif entry.is_file():
                yield Path(entry.path), _stamp_of(entry.stat())


def _stamp(path: Path) -> Stamp | None:
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
