"""A connection as plugins see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from commscaffoldd.core import reasons
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.session import check_user

if TYPE_CHECKING:
    from commscaffoldd.core.request import Request
    from commscaffoldd.core.slot import Slot


class Connection:
    """A client's connection. It stays valid, and harmless, after the client has gone.

    It knows its slot and the slot's generation at the time; once the connection is closed the slot's generation
    differs, so nothing that is sent late can reach whoever has the slot now.

    Attributes:
        generation: the slot's generation that this connection is.
        id: unique in the daemon's life: worker number, slot and generation, such as `3.17.2`.
        peer: the peer's address, such as `192.0.2.7:51234`, or `unix:` for a unix socket.
        listen: the configured address that it came in by.
        user: whom a plugin has authenticated, as given to `authenticate`; `None` before.
        login_since: monotonic seconds since when it is awaited that it logs in; 0.0: it is not.
    """

    __slots__ = ("_session", "_slot", "closing", "generation", "id", "listen", "login_since", "peer", "user")

    def __init__(self, slot: Slot, generation: int, connection_id: str, peer: str, listen: str) -> None:
        self._slot = slot
        self.generation = generation
        self._session: dict[str, Any] | None = None
        self.closing = False  # a plugin has closed it: messages that still wait are not handled
        self.id = connection_id
        self.peer = peer
        self.listen = listen
        self.user: Any = None
        self.login_since = 0.0

    def __repr__(self) -> str:
        """ID and peer, for logs."""
        return f"<Connection {self.id} {self.peer}>"

    @property
    def session(self) -> dict[str, Any]:
        """A place for what a plugin wants to remember of this client: plain data, by name.

        Messages of one connection are handled one after another, so their handlers need no lock for it;
        `concurrent` handlers, and other connections' handlers, do.
        """
        if self._session is None:
            self._session = {}
        return self._session

    def restore_session(self, session: dict[str, Any]) -> None:
        """Begin with the session that another worker's plugins have left. Before any handler has the connection."""
        self._session = session or None

    @property
    def authenticated(self) -> bool:
        """Whether a plugin has said who this client is."""
        return self.user is not None

    def authenticate(self, user: Any) -> None:  # noqa: ANN401  # whatever plain data a plugin has for a user
        """Say who this client is: it has logged in, and from its next message on no ID is closed to it.

        The user travels with the connection from worker to worker, as the session does; a second call replaces it.
        Any thread may call it.

        Args:
            user: a name, a number, a dict: plain data, and not `None`. It is no copy: do not change it later.

        Raises:
            TypeError: it is `None`, or holds something else than plain data.
        """
        check_user(user)
        self.user = user

    def restore_user(self, user: Any, login_since: float) -> None:  # noqa: ANN401  # see `authenticate`
        """Begin as another worker has left it. Before any handler has the connection."""
        self.user = user
        self.login_since = login_since

    @property
    def is_open(self) -> bool:
        """Whether the client is still there, as far as is known now."""
        return self._slot.generation == self.generation and not self.closing

    @property
    def gone(self) -> bool:
        """Whether the connection has ended for good: what is sent to it goes nowhere."""
        return self._slot.generation != self.generation

    @property
    def ending(self) -> bool:
        """Whether it has ended, or is ending: nothing more comes from the client."""
        return self._slot.generation != self.generation or self._slot.state.value in ("draining", "lingering")

    @property
    def behind(self) -> bool:
        """Whether more than `connections.send_buffer` bytes wait for the client: who streams should wait."""
        return self._slot.generation == self.generation and self._slot.unsent > self._slot.outlet.send_buffer

    @property
    def layout(self) -> str:
        """The name of the header layout that the client speaks; empty once it has gone."""
        endpoint = self._slot.endpoint
        gone = endpoint is None or self._slot.generation != self.generation
        return "" if gone or endpoint is None else endpoint.layout.name

    def send(self, message_id: int, body: bytes) -> bool:
        """Send a message that is no reply (a push). Any thread may call it, for any connection.

        Returns:
            `True` if it is on its way, `False` if the client has gone, or is being closed because it does
            not read what it is sent.

        Raises:
            TypeError: the message ID is not an integer, or the body is not bytes-like.
            ValueError: the message ID or the body does not fit the client's header layout.
        """
        return self._slot.push(self.generation, message_id, 0, body)

    def reply(self, message_id: int, sequence: int, body: bytes) -> bool:
        """Send one reply to a message of this client; see `Request.reply`. Any thread."""
        return self._slot.push(self.generation, message_id, sequence, body)

    def defer(self, request: Request) -> Deferred:
        """See `Request.defer`."""
        return Deferred(request, self._slot.outlet.deferrals)

    def close(self, reason: str = reasons.PLUGIN) -> None:
        """Close the connection once what was sent before has left. Any thread may call it; twice is harmless.

        Messages of this client that still wait are not handled any more.

        Args:
            reason: handed to `connection_closed`, and logged.

        Raises:
            TypeError: the reason is not a string.
        """
        if not isinstance(reason, str):
            raise TypeError(f"a reason is a string, not {type(reason).__name__}")
        self.closing = True
        self._slot.close_from_plugin(self.generation, reason)
