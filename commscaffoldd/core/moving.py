"""A connection on its way from one worker to another: all that it is made of, but its descriptor."""

from __future__ import annotations

from msgspec import Struct

from commscaffoldd.core.framing import Frame


class ConnectionState(Struct, kw_only=True):
    """What the next worker needs to go on where this one has stopped. Times are of CLOCK_MONOTONIC, in seconds.

    Attributes:
        id: the connection's ID; it keeps it for life.
        peer: the peer's address.
        opened_at: since when it is open.
        last_seen: when the last frame came.
        tokens, tokens_at: the flood gate's bucket, and when it was at that level.
        messages_in, messages_out: how many so far.
        received: the bytes of a frame that is not complete yet.
        messages: cut out, and not handled: message ID, sequence, body.
        unsent: encoded bytes that the socket has not taken.
        session: the plugins' session, packed; see `core.session`.
        user: who has logged in, packed in the same way; empty: nobody.
        login_since: since when a login is awaited; 0.0: it is not, or its worker knew nothing of logins.
    """

    id: str
    peer: str
    opened_at: float
    last_seen: float
    tokens: float
    tokens_at: float
    messages_in: int
    messages_out: int
    received: bytes
    messages: list[Frame]
    unsent: bytes
    session: bytes
    user: bytes = b""
    login_since: float = 0.0


class Snapshot(Struct):
    """What a frozen slot's socket and buffers hold.

    Attributes:
        fd: the client's descriptor; it stays the slot's.
        received: the bytes of an incomplete frame.
        unsent: encoded bytes, the outbox's among them.
        queued: how many messages the outbox had: what comes later is in no snapshot.
    """

    fd: int
    received: bytes
    unsent: bytes
    queued: int
