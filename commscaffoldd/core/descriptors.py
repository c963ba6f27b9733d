"""How many descriptors a process may have, setrlimit(2), and pass on at once."""

from __future__ import annotations

import resource
import sys
from typing import Final

SERVING: Final = 128  # that a worker has beside its connections: listeners, log, epoll, and what plugins open
MOST_IN_A_MESSAGE: Final = 253  # that one message to another process may carry: SCM_MAX_FD, unix(7)


def most_descriptors() -> int:
    """How many can be allowed: the hard limit; `sys.maxsize` if there is none."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def allow_descriptors(number: int) -> None:
    """Allow so many, at most `most_descriptors()`: the soft limit is raised if need be, never lowered.

    The usual soft limit, 1,024, is made for programs that call select(2); others would stand still at it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
