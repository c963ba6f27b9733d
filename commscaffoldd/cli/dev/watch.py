"""Waiting for a change that is complete: an editor, or git, changes more than one file, and not at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from commscaffoldd.cli.dev.tree import Change, Snapshot, Tree, changes

_INTERVAL: Final = 0.3  # seconds between two looks
_SETTLED: Final = 0.1  # seconds without a change, after which it is complete
_SHARE: Final = 0.05  # of a processor, at most, spent on looking at a large tree


class Watch:
    """A tree, and the state of it that the daemon has loaded, or has tried to. For one thread."""

    def __init__(self, tree: Tree, pause: Callable[[float], None] = time.sleep) -> None:
        self._tree = tree
        self._pause = pause
        self._loaded: Snapshot = tree.look()
        self._suspects: set[Path] = set()

    def wait(self, going_on: Callable[[], bool]) -> list[Change]:
        """The next change, once it is complete; nothing when `going_on` says that there is nobody to tell."""
        while going_on():
            begun = time.monotonic()
            now = self._tree.look()
            cost = time.monotonic() - begun
            if changes(self._loaded, now):
                found = self._settle(now)
                if found:  # else it has been taken back: an editor's probe
                    return found
            self._pause(max(_INTERVAL, cost / _SHARE))
        return []

    def written_by_plugins(self) -> list[Change]:
        """Call it after each load. Data files that have changed during two of them are left out from now on.

        A plugin that writes a file whenever it loads would otherwise be reloaded for ever. Once may be a person.
        """
        changed = {change.path: change for change in changes(self._loaded, self._tree.look()) if not change.in_source}
        found = [change for path, change in changed.items() if path in self._suspects]
        self._suspects = changed.keys() - {change.path for change in found}
        for change in found:
            self._tree.leave_out(change.path)
        self._loaded = {path: stamp for path, stamp in self._loaded.items() if path not in self._tree.left_out}
        return found

    def _settle(self, now: Snapshot) -> list[Change]:
        while True:
            self._pause(_SETTLED)
            before, now = now, self._tree.look()
            if not changes(before, now):
                break
        found = changes(self._loaded, now)
        self._loaded = now
        return found
