"""What the kernel tells of a worker's memory."""

from __future__ import annotations

import resource


def resident_bytes(pid: int) -> int:
    """The memory that a process has resident, pages that it shares among it; 0 if it has just ended.

    See proc_pid_statm(5).
    """
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123  # /proc is no folder of files
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0  # it has just ended, or /proc is hidden
