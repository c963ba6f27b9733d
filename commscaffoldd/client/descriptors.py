"""The limit of open descriptors, which bounds how many connections a process can have."""

from __future__ import annotations

import resource
from typing import Final

_OTHERS: Final = 64  # standard streams, epoll, modules being imported


class TooManyConnections(Exception):  # noqa: N818  # it names what was asked for
    """The system's limit does not allow so many connections; the text says which limit."""


def allow_connections(connections: int) -> None:
    """Raise this process's soft limit, if need be, so that it can have so many connections.

    Raises TooManyConnections if the hard limit is too small.
    """
    wanted = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise TooManyConnections(
            f"{connections} connections need {wanted} open files, but the hard limit is {hard} "
            f"(ulimit -Hn): at most {max(0, hard - _OTHERS)} connections"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
