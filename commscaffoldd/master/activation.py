"""Sockets that were opened by the service manager and passed to this process by name, sd_listen_fds(3)."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Iterable, MutableMapping
from typing import Final

FIRST: Final = 3  # SD_LISTEN_FDS_START
UNNAMED: Final = "unknown"  # what sd_listen_fds_with_names(3) calls a descriptor without a name

_PID: Final = "LISTEN_PID"
_COUNT: Final = "LISTEN_FDS"
_NAMES: Final = "LISTEN_FDNAMES"
_PIDFD: Final = "LISTEN_PIDFDID"
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class PassedError(Exception):
    """The wanted socket is not there, or what was passed is not what it should be; str() says which and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Descriptor:
    """One passed descriptor; `socket` is None if it is something else than a socket."""

    name: str
    fd: int
    socket: socket.socket | None

    def close(self) -> None:
        """Close it. May be called twice for a socket."""
        if self.socket is not None:
            self.socket.close()
        else:
            os.close(self.fd)


def take_descriptors(environment: MutableMapping[str, str], pid: int) -> list[Descriptor]:
    """What was passed to the process `pid`, in the order of its numbers; children do not inherit it any more.

    The variables are taken out of the environment, as sd_listen_fds(3) advises. Raises PassedError if they
    contradict each other or the open descriptors.
    """
    wanted, count, names = (environment.pop(name, "") for name in (_PID, _COUNT, _NAMES))
    environment.pop(_PIDFD, None)
    if wanted != str(pid) or not count:
        return []
    if not (count.isascii() and count.isdigit()):
        raise PassedError(f"{_COUNT} is {count!r}; allowed: a number")
    fds = range(FIRST, FIRST + int(count))
    named = names.split(":") if names else [UNNAMED] * len(fds)
    if len(named) != len(fds):
        raise PassedError(f"{_NAMES} has {len(named)} names, {_COUNT} is {count}; allowed: a name for each")
    return [_descriptor(name, fd) for name, fd in zip(named, fds, strict=True)]


def _descriptor(name: str, fd: int) -> Descriptor:
    try:
        os.set_inheritable(fd, False)
    except OSError:
        raise PassedError(f"{_COUNT} counts descriptor {fd}, {name!r}, which is not open") from None
    try:
        return Descriptor(name, fd, socket.socket(fileno=fd))
    except OSError:
        return Descriptor(name, fd, None)


class PassedSockets:
    """The sockets of socket units. They stay open as long as the daemon lives, whoever listens on them meanwhile.

    So a listener that one reload takes away and another one brings back finds its socket again: systemd passes it
    only once.
    """

    def __init__(self, descriptors: Iterable[Descriptor] = ()) -> None:
        self._descriptors = list(descriptors)

    def names(self) -> list[str]:
        """Every name, once, in the order in which they were passed."""
        return list(dict.fromkeys(one.name for one in self._descriptors))

    def named(self, name: str) -> list[socket.socket]:
        """All sockets with this name, ready for accepting: several addresses of one socket unit have the same name.

        Raises PassedError if there is none, or if one is not a socket on which clients can be accepted.
        """
        found = [one for one in self._descriptors if one.name == name]
        if not self._descriptors:
            raise PassedError(
                "systemd has passed no socket to this process; "
                f"a socket unit with FileDescriptorName={name} does, when systemd starts the service"
            )
        if not found:
            raise PassedError(f"systemd has passed no socket of that name; it has passed: {', '.join(self.names())}")
        return [_listening(one) for one in found]

    def named_fds(self) -> list[tuple[str, int]]:
        """All descriptors' names and numbers."""
        return [(one.name, one.fd) for one in self._descriptors]

    def fds(self) -> list[int]:
        """The numbers of all descriptors."""
        return [one.fd for one in self._descriptors]

    def close(self) -> None:
        """Close this process's copies; systemd keeps its own."""
        for one in self._descriptors:
            one.close()
        self._descriptors.clear()


def _listening(one: Descriptor) -> socket.socket:
    found = one.socket
    if found is None:
        raise PassedError(f"descriptor {one.fd} is not a socket; allowed: ListenStream= in the socket unit")
    if found.family not in _FAMILIES:
        raise PassedError(
            f"descriptor {one.fd} is a socket of family {found.family!s}; allowed: TCP and unix sockets"
        )
    if found.type != socket.SOCK_STREAM:
        raise PassedError(f"descriptor {one.fd} is not a stream socket; allowed: ListenStream= in the socket unit")
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise PassedError(f"descriptor {one.fd} is not a listening socket; allowed: Accept=no in the socket unit")
    found.setblocking(False)
    return found
