"""What is allowed and yet probably not meant: for `check` and the log at start, never an error."""

from __future__ import annotations

import os

from commscaffoldd.config.schema import Config
from commscaffoldd.core.descriptors import SERVING, most_descriptors


def hints(config: Config) -> list[str]:
    """One line for each doubtful thing, with its key. Reads this process's user and limits."""
    found: list[str] = []
    if os.geteuid() != 0:
        for key, value in (("user", config.daemon.user), ("group", config.daemon.group)):
            if value:
                found.append(f"daemon.{key}: {value!r} is not taken on: only root can, and this is not root")
    most = most_descriptors()
    needed = config.connections.max + SERVING
    if needed > most:
        found.append(
            f"connections.max: {config.connections.max} clients need about {needed} open files, "
            f"but the limit is {most} (ulimit -Hn, LimitNOFILE=)"
        )
    return found
