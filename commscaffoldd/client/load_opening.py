"""Opens a load's connections: without blocking, and so many at a time that no backlog overflows."""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Final

from commscaffoldd.client.connecting import connect
from commscaffoldd.client.load_errors import ErrorTally, Kind, connect_kind
from commscaffoldd.core.address import Address

AT_ONCE: Final = 128


class Opening:
    """Connections that are wanted, and those on their way. Used by one thread."""

    def __init__(self, address: Address, epoll: select.epoll, errors: ErrorTally) -> None:
        self._address = address
        self._epoll = epoll
        self._errors = errors
        self._wanted = 0
        self._connecting: dict[int, socket.socket] = {}
        self._ready: list[socket.socket] = []
        self._family = socket.AF_UNIX
        self._peer: object = address.path

    @property
    def pending(self) -> int:
        """How many have neither been opened nor failed."""
        return self._wanted + len(self._connecting) + len(self._ready)

    def open_first(self, timeout: float) -> socket.socket:
        """Open one and wait for it, which also shows which of the host's addresses answers. Raises OSError."""
        first = connect(self._address, timeout)
        if not self._address.path:
            self._family, self._peer = first.family, first.getpeername()
        return first

    def want(self, count: int) -> None:
        """Open so many more."""
        self._wanted += count

    def advance(self) -> list[socket.socket]:
        """Begin as many as may be on their way at once; returns those that are open now."""
        while self._wanted and len(self._connecting) + len(self._ready) < AT_ONCE:
            self._wanted -= 1
            if not self._begin():
                break
        ready, self._ready = self._ready, []
        return ready

    def has(self, descriptor: int) -> bool:
        """Whether this is one that is on its way."""
        return descriptor in self._connecting

    def finish(self, descriptor: int) -> None:
        """Take what became of one: epoll has reported it. `advance` returns it if it is open."""
        connecting = self._connecting.pop(descriptor)
        self._epoll.unregister(descriptor)
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(connecting, OSError(code, os.strerror(code)))
        else:
            self._ready.append(connecting)

    def give_up(self, text: str) -> None:
        """Count all that are not open as timed out, and close them."""
        left = self.pending
        if left:
            self._errors.add(Kind.CONNECT_TIMEOUT, text, times=left)
        self.close()

    def close(self) -> None:
        """Close all that are on their way."""
        for connecting in [*self._connecting.values(), *self._ready]:
            connecting.close()
        self._connecting.clear()
        self._ready.clear()
        self._wanted = 0

    def _begin(self) -> bool:
        """Begin one; returns false if the backlog is full, and it has to be tried again later."""
        connecting = socket.socket(self._family, socket.SOCK_STREAM)
        connecting.setblocking(False)
        if not self._address.path:
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connecting.connect_ex(self._peer)  # type: ignore[arg-type]  # as the socket module gave it
        if code == 0:
            self._ready.append(connecting)
        elif code == errno.EINPROGRESS:
            self._connecting[connecting.fileno()] = connecting
            self._epoll.register(connecting, select.EPOLLOUT)
        elif code == errno.EAGAIN and self._address.path:  # so a unix socket says that its backlog is full
            connecting.close()
            self._wanted += 1
            return False
        else:
            self._fail(connecting, OSError(code, os.strerror(code)))
        return True

    def _fail(self, connecting: socket.socket, error: OSError) -> None:
        connecting.close()
        self._errors.add(connect_kind(error), f"cannot connect: {error.strerror}")
