"""One configured address and its listening sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from commscaffoldd.config.schema import Listen
from commscaffoldd.core.address import Address, SocketAddress, describe_bound
from commscaffoldd.master.fd_store import store_name
from commscaffoldd.master.unix_path import bind_unix

SHARED: Final = 0  # the index of a socket that all workers share; slots are counted from 1

Key = tuple[socket.AddressFamily, SocketAddress]


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """One configured address and its sockets: one that all workers share, or one for each worker slot.

    With `reuseport` a worker's replacement gets the socket, and so the queue, of the worker that died.
    `passed` is a listener whose socket the service manager has opened: it is neither changed nor closed nor, if it is
    a unix socket, removed here.
    """

    listen: Listen
    key: Key
    sockets: dict[int, socket.socket]
    passed: bool = False

    @property
    def own_sockets(self) -> bool:
        """Whether each worker has a socket of its own."""
        return self.listen.accept == "reuseport"

    @property
    def store_name(self) -> str | None:
        """Its name in the service manager's store; None if it has no place there.

        What systemd has opened it keeps anyway; and for port 0 each start takes a free port.
        """
        family, target = self.key
        if self.passed or (isinstance(target, tuple) and target[1] == 0):
            return None
        return store_name(family, target, reuseport=self.own_sockets)

    def indexes(self, workers: int) -> Iterable[int]:
        """The indexes of all sockets that it should have."""
        return range(1, workers + 1) if self.own_sockets else (SHARED,)

    def is_at(self, one: socket.socket) -> bool:
        """Whether a socket that somebody has kept for us is listening here, and clients still find it."""
        family, target = self.key
        return (
            one.family == family
            and one.type == socket.SOCK_STREAM
            and one.getsockname() == target
            and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
            and (family != socket.AF_UNIX or Path(str(target)).is_socket())
        )

    def apply_backlog(self) -> None:
        """Give sockets that somebody else has opened the backlog that is configured now."""
        if self.passed:  # the socket unit's Backlog= says it
            return
        for one in self.sockets.values():
            with contextlib.suppress(OSError):
                one.listen(self.listen.backlog)

    def address(self) -> str:
        """Where it really listens: with the port, where port 0 is configured, and what systemd has bound."""
        if self.passed:
            return describe_bound(self.sockets[SHARED].getsockname())
        configured = Address.parse(self.listen.address)
        if configured.path or configured.port:
            return str(configured)
        bound = next(iter(self.sockets.values())).getsockname()
        return str(dataclasses.replace(configured, port=bound[1]))

    def open_for(self, index: int) -> None:
        """Open the socket with this index, if it is not open. Raises OSError."""
        if index in self.sockets:
            return
        family, target = self.key
        if self.sockets and family != socket.AF_UNIX:
            target = next(iter(self.sockets.values())).getsockname()  # for port 0: the same port for all
        self.sockets[index] = open_socket(self.listen, family, target)


def open_socket(listen: Listen, family: socket.AddressFamily, target: SocketAddress) -> socket.socket:
    """A listening, non-blocking socket. Raises OSError."""
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_UNIX:
            bind_unix(made, Path(str(target)))
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if listen.accept == "reuseport":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind(target)
        made.listen(listen.backlog)
    except BaseException:
        made.close()
        raise
    return made
