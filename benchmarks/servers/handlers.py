"""The handlers that every server written in Python here has, and what they are called with.

They are the same functions everywhere, commscaffoldd's plugin included, so what differs between two servers is the
server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

COMPUTE_SECONDS: Final = 0.005


class Request(msgspec.Struct, gc=False):
    """What a handler is called with. A msgspec struct, because nothing else is made as quickly.

    Attributes:
        connection: the server's own object for the connection.
        id: the message ID.
        sequence: chosen by the client.
        body: the message's body.
    """

    connection: Any
    id: int
    sequence: int
    body: bytes


class HasBody(Protocol):
    """What the handlers need of a request; commscaffoldd's has it, too."""

    @property
    def body(self) -> bytes:
        """The message's body."""


def echo(request: HasBody) -> bytes:
    """The body comes back."""
    return request.body


def compute(request: HasBody) -> bytes:
    """The body comes back after 5 ms of computing in Python: of this thread's CPU time, however long it waits."""
    end = time.thread_time() + COMPUTE_SECONDS
    while time.thread_time() < end:
        pass
    return request.body


HANDLERS: Final[Mapping[int, Callable[[HasBody], bytes]]] = {1: echo, 2: compute}
"""Handlers by message ID."""
