"""Executing the installed program anew, as a child of the master that shall be replaced by it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from commscaffoldd.master.activation import FIRST
from commscaffoldd.master.signals import forget_in_child, held_back

VARIABLE: Final = "COMMSCAFFOLDD_TAKEOVER"
_FAILED: Final = 1


class TakeoverOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the new master is told by its environment.

    Attributes:
        link: descriptor of the link to the old one.
        pidfile: descriptor of the locked pidfile.
        config: the configuration file.
        default_log: where to log if the configuration names no file; empty for standard error.
        first_number: of its workers: no number is used twice.
    """

    link: int
    pidfile: int
    config: str
    default_log: str
    first_number: int


def execute(
    listeners: Sequence[tuple[str, int]],
    *,
    link: int,
    pidfile: int,
    config: Path,
    default_log: Path | None,
    first_number: int,
    variables: Mapping[str, str],
) -> int:
    """Fork, and execute the installed program with the command `take-over`.

    Args:
        listeners: names and descriptors, passed as sd_listen_fds(3) says.
        link: the new master's end of the link.
        pidfile: the locked pidfile's descriptor.
        config: the configuration file.
        default_log: where to log if that names no file; `None` for standard error.
        first_number: of its workers.
        variables: put into its environment.

    Returns:
        The new process's pid.

    Raises:
        OSError: it cannot be forked. What else goes wrong is its end.
    """
    count = len(listeners)
    order = TakeoverOrder(
        link=FIRST + count,
        pidfile=FIRST + count + 1,
        config=str(config),
        default_log=str(default_log or ""),
        first_number=first_number,
    )
    environment = {
        **os.environ,
        **variables,
        VARIABLE: json.dumps(msgspec.to_builtins(order)),
        "LISTEN_FDS": str(count),
        "LISTEN_FDNAMES": ":".join(name for name, _ in listeners),
    }
    sys.stdout.flush()
    sys.stderr.flush()
    with held_back() as mask:
        pid = os.fork()
        if pid == 0:
            _execute([*(fd for _, fd in listeners), link, pidfile], environment, mask)
    return pid


def _execute(fds: Sequence[int], environment: dict[str, str], mask: set[int]) -> NoReturn:
    """In the child: never returns."""
    try:
        forget_in_child()
        last = FIRST + len(fds)
        # First away from where they shall go, since one may be where another belongs.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, last) for fd in fds]
        for number, copy in enumerate(copies, start=FIRST):
            os.dup2(copy, number, inheritable=True)
        environment["LISTEN_PID"] = str(os.getpid())
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execve(sys.executable, [sys.executable, "-P", "-m", "commscaffoldd", "take-over"], environment)  # noqa: S606
    finally:
        os._exit(_FAILED)
