"""File descriptors: a worker takes as many as its connections need, and as the system allows."""

from __future__ import annotations

import logging
import resource
from typing import Final

logger = logging.getLogger(__name__)

SPARE: Final = 128  # descriptors beside the connections: listeners, log, epoll, and what plugins open


def raise_descriptor_limit(connections: int) -> None:
    """Raise the soft limit of open files (setrlimit(2)) so that this many connections fit, up to the hard limit.

    The usual soft limit, 1,024, is made for programs that call select(2); a server would stand still at it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        logger.warning(
            f"the limit of open files is {hard}, too few for connections.max = {connections}: "
            f"{wanted} are needed (LimitNOFILE= in the unit, or ulimit -n)"
        )
