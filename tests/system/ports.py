"""Free TCP ports that nobody else takes meanwhile: other test processes, or the kernel for a client's side."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 10000
LAST: Final = 32000  # the kernel takes clients' ports from 32768 on


class Ports:
    """Hands out ports of this process. Each is reserved until `close`.

    A reservation is an abstract unix socket with the port in its name: such a name is there once on the machine,
    and goes with its process. Other programs do not know of it, so the port itself is tried, too.
    """

    def __init__(self) -> None:
        self._reservations: list[socket.socket] = []
        self._candidates: Iterator[int] = itertools.cycle(range(FIRST, LAST))
        for _ in range(os.getpid() * 97 % (LAST - FIRST)):
            next(self._candidates)

    def take(self) -> int:
        """A port at which nobody listens."""
        for port in itertools.islice(self._candidates, LAST - FIRST):
            reservation = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                reservation.bind(f"\0commscaffoldd-test-port-{port}")
            except OSError:
                reservation.close()
                continue
            if is_free(port):
                self._reservations.append(reservation)
                return port
            reservation.close()
        raise AssertionError("no port is free")

    def close(self) -> None:
        """Give all ports back."""
        for reservation in self._reservations:
            reservation.close()


def is_free(port: int) -> bool:
    """Whether a daemon could listen there now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
            trial.listen()
        except OSError:
            return False
    return True
