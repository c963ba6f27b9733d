"""Connecting to a daemon, over TCP or a unix socket, and why it could not be."""

from __future__ import annotations

import os
import socket
import ssl

from commscaffoldd.core.address import Address


def connect(address: Address, timeout: float) -> socket.socket:
    """A connected socket, with this timeout set. Tries each address that the host's name stands for.

    Raises OSError: it cannot be reached (TimeoutError, ConnectionRefusedError, ...).
    """
    if not address.path:
        connected = socket.create_connection((address.host, address.port), timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        connected.connect(address.path)
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
