"""What is allowed and yet probably not meant: for `check` and the log at start, never an error."""

from __future__ import annotations

import os
import resource
from typing import Final

from commscaffoldd.config.schema import Config

SPARE_FILES: Final = 64  # what a worker has open beside its clients: listeners, log, channel, plugins' files


def hints(config: Config) -> list[str]:
    """One line for each doubtful thing, with its key. Reads this process's user and limits."""
    found: list[str] = []
    if os.geteuid() != 0:
        for key, value in (("user", config.daemon.user), ("group", config.daemon.group)):
            if value:
                found.append(f"daemon.{key}: {value!r} is not taken on: only root can, and this is not root")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = config.connections.max + SPARE_FILES
    if most != resource.RLIM_INFINITY and needed > most:
        found.append(
            f"connections.max: {config.connections.max} clients need about {needed} open files, "
            f"but the limit is {most} (ulimit -Hn, LimitNOFILE=)"
        )
    return found
