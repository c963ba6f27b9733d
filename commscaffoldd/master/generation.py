"""What one load of the configuration gives: the settings, and what was opened for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from commscaffoldd.config.schema import Config
from commscaffoldd.log import LogFile
from commscaffoldd.master.listeners import ListenerSet


@dataclasses.dataclass(frozen=True, slots=True)
class Generation:
    """A configuration in use. The start makes the first; each successful reload makes the next."""

    number: int
    config: Config
    log: LogFile
    listeners: ListenerSet

    @property
    def accept_lock(self) -> Path:
        """The file that workers lock to take turns at accepting; the same for every generation."""
        return Path(self.config.daemon.run_dir) / "accept.lock"


def same_log(config: Config, other: Config) -> bool:
    """Whether both configurations mean the same log in the same form."""
    return config.log == other.log
