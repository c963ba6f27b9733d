"""What a handler is given."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.route import Route


class Request(Struct, eq=False):
    """One message, on its way to its handler.

    A `msgspec.Struct` because one is made for each message, and a Struct is made in C.

    Attributes:
        connection: the connection that it came by.
        id: the message ID.
        sequence: the sequence number that its reply will carry; 0 where the header layout has none.
        body: the message's body.
        route: the handler's route.
    """

    connection: Connection
    id: int
    sequence: int
    body: bytes
    route: Route


class LifecycleCall(Struct, eq=False):
    """A connection's beginning or end, on its way to the hooks, in order with the connection's messages.

    Attributes:
        connection: the connection.
        reason: why it ended; empty at its beginning.
        route: a route whose function calls the hooks.
    """

    connection: Connection
    reason: str
    route: Route


Work: TypeAlias = Request | LifecycleCall
