"""What a handler is given."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.deferred import Deferred, too_late_to_defer
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
        deferred: what `defer` has given, until it is answered; `None`: the handler's result is the answer.
        returned: the handler has returned. Written by its thread.
        given_up: the handler took too long, and has been answered for. Written by the watchdog's thread.
    """

    connection: Connection
    id: int
    sequence: int
    body: bytes
    route: Route
    deferred: Deferred | None = None
    returned: bool = False
    given_up: bool = False

    def defer(self) -> Deferred:
        """Answer this message later, from any thread: by what this gives. Only while its handler runs.

        The handler then returns `None`, or what this gives. The message counts as running until it is answered: its
        connection's later messages wait (unless the handler is concurrent), and the handler's timeout goes on.

        Raises:
            RuntimeError: the handler has returned, without it.
        """
        deferred = self.deferred
        if deferred is not None:
            deferred.kept = True
            return deferred
        if self.returned:
            raise too_late_to_defer(self.id)
        self.deferred = deferred = self.connection.defer(self)
        # The handler's thread writes `returned` and looks at `deferred` then: so one of the two sees the other.
        if _has_returned(self):
            deferred.withdraw()
            raise too_late_to_defer(self.id)
        return deferred

    def reply(self, body: bytes) -> bool:
        """Send one reply now; the handler may send more, and return one more or `None`. Any thread.

        Returns:
            `True` if it is on its way, `False` if the client has gone, or does not read what it is sent, or if the
            handler took too long, and the client has been told so.

        Raises:
            TypeError: the body is not bytes-like.
            ValueError: the body does not fit the client's header layout.
        """
        return not self.given_up and self.connection.reply(self.id, self.sequence, body)


def _has_returned(request: Request) -> bool:
    return request.returned  # asked again, on purpose


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
