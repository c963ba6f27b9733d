"""What /proc says of the daemon's processes, and ending them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def with_environment(entry: str) -> set[int]:
    """Every living process that was started, by however many forks, with this entry (NAME=value)."""
    wanted = entry.encode()
    found = set()
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0") and _state(int(folder.name)) != "Z":
                    found.add(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _state(pid) not in ("", "Z", "X")


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process."""
    return _state(pid) == "T"


def holds_lock(pid: int, path: Path) -> bool:
    """Whether the process holds a flock(2) lock on this file."""
    for link in (PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            if link.readlink() == path and "FLOCK" in (PROC / str(pid) / "fdinfo" / link.name).read_text():
                return True
    return False


def kill(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal processes; those that have gone meanwhile are no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU time that the process has used, its threads among them."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM."""
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def user_of(pid: int) -> tuple[set[int], set[int]]:
    """User IDs and group IDs (real, effective, saved, file system), supplementary groups among the latter."""
    lines = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
    users = {int(part) for part in lines["Uid"].split()}
    groups = {int(part) for part in lines["Gid"].split()}
    return users, groups


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether the process ignores this signal."""
    lines = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
    return bool(int(lines["SigIgn"], 16) >> (number - 1) & 1)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold blanks; the first one is the state."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [""]


def _state(pid: int) -> str:
    return _stat(pid)[0]
