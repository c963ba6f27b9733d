"""What the kernel tells about processes and processors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """The processes that this one has started, and those that they have."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for known in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def cpu_seconds(pids: list[int]) -> float:
    """What these processes have used until now, in user mode and in the kernel."""
    return sum((int(fields[11]) + int(fields[12])) * TICK for pid in pids if (fields := _stat(pid)))


def resident_bytes(pids: list[int]) -> int:
    """The memory that these processes have resident, together."""
    total = 0
    for pid in pids:
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def open_files(pids: list[int]) -> int:
    """How many descriptors these processes have open, together."""
    return sum(len(os.listdir(PROC / str(pid) / "fd")) for pid in pids)  # noqa: PTH208  # a Path for each is slow


class MachineTime(NamedTuple):
    """Seconds that all processors together have spent.

    Attributes:
        busy: with any process of this machine.
        stolen: waiting for the hypervisor to give the processor back.
    """

    busy: float
    stolen: float

    @classmethod
    def now(cls) -> MachineTime:
        """Until now."""
        user, nice, system, _idle, _iowait, irq, softirq, stolen, *_ = (
            int(word) * TICK for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
        )
        return cls(user + nice + system + irq + softirq, stolen)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the program's name; none if the process has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
