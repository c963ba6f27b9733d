"""Connecting to a daemon, over TCP or a unix socket, and why it could not be."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Any

from commscaffoldd.core.address import Address


def connect(address: Address, timeout: float) -> socket.socket:
    """A connected socket. Tries each address that the host's name stands for, within so many seconds for all of them.

    The system's search for the name has its own patience, which comes first.

    Raises OSError: it cannot be reached (TimeoutError, ConnectionRefusedError, ...).
    """
    if address.path:
        return _connected(socket.AF_UNIX, address.path, timeout)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    deadline = time.monotonic() + timeout
    failure: OSError = TimeoutError("timed out")
    for tried, (family, _, _, _, where) in enumerate(found):
        share = (deadline - time.monotonic()) / (len(found) - tried)  # one that hangs leaves time for the others
        if share <= 0:
            raise TimeoutError("timed out")
        try:
            connected = _connected(family, where, share)
        except OSError as error:
            failure = error
            continue
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    raise failure


def _connected(family: int, where: str | tuple[Any, ...], timeout: float) -> socket.socket:
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        connected.connect(where)
    except BaseException:
        connected.close()
        raise
    return connected


def why_not(error: OSError) -> str:
    """Why it could not connect, in the same words whoever tried: asyncio's errors do not say it."""
    own_numbers = isinstance(error, (ssl.SSLError, socket.gaierror))  # they are none of the system's
    if error.errno and not own_numbers:
        return os.strerror(error.errno)
    return error.strerror or str(error)
