"""What comes of a reload or an upgrade, for whoever asked for it."""

from __future__ import annotations

import dataclasses

from commscaffoldd.master.handover import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class MoveAnswer:
    """What came of something that moves connections: errors, or none.

    Attributes:
        errors: why not; empty if all is well.
        exit_code: what the command should end with.
        connections: what became of those of the old workers.
    """

    errors: tuple[str, ...] = ()
    exit_code: int = 0
    connections: Outcome = dataclasses.field(default_factory=Outcome)


@dataclasses.dataclass(frozen=True, slots=True)
class ReloadAnswer(MoveAnswer):
    """What came of a reload.

    Attributes:
        new_pids: who serves now.
        old_pids: who retires.
    """

    new_pids: list[int] = dataclasses.field(default_factory=list)
    old_pids: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class UpgradeAnswer(MoveAnswer):
    """What came of an upgrade.

    Attributes:
        pid: the new master's.
        version: the new master's.
    """

    pid: int = 0
    version: str = ""
