"""The limit of open descriptors, which bounds how many connections a process can have."""

from __future__ import annotations

from typing import Final

from commscaffoldd.core.descriptors import allow_descriptors, most_descriptors

_OTHERS: Final = 64  # standard streams, epoll, modules being imported


class TooManyConnections(Exception):  # noqa: N818  # it names what was asked for
    """The system's limit does not allow so many connections; the text says which limit."""


def allow_connections(connections: int) -> None:
    """Raise this process's soft limit, if need be, so that it can have so many connections.

    Raises TooManyConnections if the hard limit is too small.
    """
    wanted = connections + _OTHERS
    most = most_descriptors()
    if most < wanted:
        raise TooManyConnections(
            f"{connections} connections need {wanted} open files, but the hard limit is {most} "
            f"(ulimit -Hn): at most {max(0, most - _OTHERS)} connections"
        )
    allow_descriptors(wanted)
