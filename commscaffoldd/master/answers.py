"""What comes of a reload or an upgrade, for whoever asked for it."""

from __future__ import annotations

import dataclasses

from commscaffoldd.master.handover import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class ReloadAnswer:
    """What came of a reload, for whoever asked for it."""

    errors: tuple[str, ...] = ()
    exit_code: int = 0
    new_pids: list[int] = dataclasses.field(default_factory=list)
    old_pids: list[int] = dataclasses.field(default_factory=list)
    connections: Outcome = dataclasses.field(default_factory=Outcome)


@dataclasses.dataclass(frozen=True, slots=True)
class UpgradeAnswer:
    """What came of an upgrade, for whoever asked for it: errors, or the new master's pid and version."""

    errors: tuple[str, ...] = ()
    exit_code: int = 0
    pid: int = 0
    version: str = ""
    connections: Outcome = dataclasses.field(default_factory=Outcome)
