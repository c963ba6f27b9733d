"""A slot of the connection pool: all that the daemon knows of one connection, in one place.

Slots are used again, `Connection` objects are not. Which thread may touch what:

- `lock` guards what the sender and the reactor share: `generation`, `socket`, `outbox`, `chunks`, `unsent`,
  `blocked`, `parked`, `interest`. A socket is sent to and closed under it, so that nobody can send to a
  descriptor that has been closed and given to somebody else meanwhile.
- `owner` is the right to run this connection's messages: a lock used as a flag, held by the reactor or by one
  pool thread, handed on with the slot. It makes messages of one connection run in order, one at a time.
- `pending` is appended to by the reactor only, and consumed by whoever holds `owner`.
- `concurrent` is added to by the reactor, and discarded from by the pool threads; each is one atomic step.
- everything else belongs to the reactor; others may read it.
"""

from __future__ import annotations

import enum
import operator
import socket
import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeAlias

from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection

if TYPE_CHECKING:
    from commscaffoldd.core.deferred import Deferrals
    from commscaffoldd.core.endpoint import Endpoint
    from commscaffoldd.core.framing import FrameReader
    from commscaffoldd.core.request import Request, Work

Reply: TypeAlias = tuple[int, int, bytes]
"""What goes out, a push too: message ID, sequence, body."""

Ready: TypeAlias = "Slot | tuple[Slot, Request]"
"""What a pool thread can take: a slot whose messages shall be run, with its `owner`, or one concurrent request."""

HARD_LIMIT = 2  # times send_buffer; a client for which more waits is closed at once


class State(enum.Enum):
    """Where a slot is in its life."""

    FREE = "free"  # in the pool
    OPEN = "open"
    DRAINING = "draining"  # not read any more; closed once all is handled and sent
    MOVING = "moving"  # neither read from nor written to: another worker is about to have it, or this one goes on
    LINGERING = "lingering"  # our side is shut; waiting for the peer's, so that no reset destroys replies
    COOLING = "cooling"  # closed; waits for the recycler


_LINGERING = State.LINGERING  # reading a member off an enum's class is slow, and this is read for each message


class Outlet(Protocol):
    """What a slot, and its connection, need of their surroundings. Any thread may call these."""

    send_buffer: int
    deferrals: Deferrals

    def flush_soon(self, slot: Slot) -> None:
        """Have the sender write what waits in the slot's outbox."""

    def watch_slow(self, slot: Slot) -> None:
        """Have the engine watch for how long the slot stays over `send_buffer`."""

    def close_soon(self, slot: Slot, generation: int, reason: str, *, drain: bool) -> None:
        """Have the engine close the slot, at once or after what waits has been sent."""


class Slot:
    """One slot. Made by the connection pool; see the module's text for who may touch what."""

    __slots__ = (
        "asked_to_end",
        "blocked",
        "chunks",
        "concurrent",
        "connection",
        "dirty",
        "end_detail",
        "end_reason",
        "endpoint",
        "generation",
        "index",
        "interest",
        "last_seen",
        "leaving",
        "lock",
        "messages_in",
        "messages_out",
        "opened_at",
        "outbox",
        "outlet",
        "over_since",
        "owner",
        "parked",
        "paused",
        "pending",
        "reader",
        "socket",
        "state",
        "tokens",
        "tokens_at",
        "unsent",
    )

    def __init__(self, index: int, outlet: Outlet) -> None:
        self.index = index
        self.outlet = outlet
        self.generation = 0
        self.state = State.FREE
        self.lock = threading.Lock()
        self.owner = threading.Lock()
        self.pending: list[Work] = []
        self.concurrent: set[Request] = set()  # of `concurrent` handlers, waiting or running
        self.endpoint: Endpoint | None = None  # outlives the connection: a late handler needs its layout
        self.outbox: list[Reply] = []  # not yet encoded
        self.chunks: list[bytes | memoryview] = []  # encoded, and not taken by the socket yet
        self.unsent = 0  # bytes in outbox and chunks
        self.clear()

    def __repr__(self) -> str:
        """Index, generation and state, for debugging."""
        return f"<Slot {self.index}.{self.generation} {self.state.value}>"

    def clear(self) -> None:
        """Forget the connection that was here. The generation stays: it only ever grows."""
        self.connection: Connection | None = None
        self.socket: socket.socket | None = None
        self.reader: FrameReader | None = None
        self.interest = 0  # what epoll watches the socket for; -1: it does not watch it at all
        self.blocked = False  # the socket is full; epoll tells when it takes more
        self.paused = False  # not read from, for now
        self.leaving = False  # another worker shall have it: none of its messages is begun any more
        self.parked: list[Ready] = []  # what waits until the client has read some replies
        self.dirty = False  # already in the send queue
        self.over_since = 0.0  # monotonic time since which `unsent` is above send_buffer; 0: it is not
        self.opened_at = 0.0
        self.last_seen = 0.0
        self.asked_to_end = -1  # the generation for which somebody has asked to close
        self.end_reason = ""  # why it drains
        self.end_detail = ""
        self.tokens = 0.0
        self.tokens_at = 0.0
        self.messages_in = 0
        self.messages_out = 0

    @property
    def idle(self) -> bool:
        """Whether none of its messages waits or runs."""
        return not self.pending and not self.owner.locked() and not self.concurrent

    @property
    def owned(self) -> bool:
        """Whether somebody has the right to run its messages."""
        return self.owner.locked()

    def try_own(self) -> bool:
        """Take the right to run its messages, if it is free. Any thread."""
        return self.owner.acquire(blocking=False)

    def disown(self) -> None:
        """Give that right up. Whoever has it."""
        self.owner.release()

    def submit(self, work: list[Work]) -> bool:
        """Let these messages wait, behind those that already do. The reactor's thread.

        Returns:
            Whether the caller now has the right to run them, and must see to it that they are.
        """
        self.pending += work
        return self.owner.acquire(blocking=False)

    def disown_if_done(self) -> bool:
        """Give the right to run its messages up, all that waited having been run. Whoever has it.

        Returns:
            Whether nothing has come meanwhile; if not, the caller has the right again.
        """
        self.owner.release()
        # The reactor appends first and tries the lock then: either it finds it free, or this finds what it appended.
        return not (self.pending and self.owner.acquire(blocking=False))

    @property
    def waiting(self) -> int:
        """How many of its messages wait or run, near enough."""
        return len(self.pending) + len(self.concurrent)

    def push(self, generation: int, message_id: int, sequence: int, body: bytes) -> bool:
        """Put one message into the outbox and have it sent. Any thread may call it.

        Returns:
            Whether it will be sent; `False` if the connection of this generation has gone or is being closed.

        Raises:
            TypeError: the message ID is not an integer, or the body is not bytes-like.
            ValueError: message ID or body do not fit the layout.
        """
        message_id, data = operator.index(message_id), as_body(body)
        endpoint = self.endpoint
        if endpoint is None or self.generation != generation:
            return False
        endpoint.layout.check_fits(message_id, len(data))
        if not self.queue(generation, (message_id, sequence, data)):
            return False
        self.outlet.flush_soon(self)
        return True

    def queue(self, generation: int, reply: Reply) -> bool:
        """Put one message, which fits the layout, into the outbox; the caller has it flushed. Any thread.

        Returns:
            As `push`.
        """
        with self.lock:
            endpoint = self.endpoint
            if self.generation != generation or endpoint is None or self.state is _LINGERING:
                return False
            limit = self.outlet.send_buffer
            if self.unsent <= limit * HARD_LIMIT:
                self.outbox.append(reply)
                self.unsent += len(reply[2]) + endpoint.layout.header_size
                if self.unsent > limit and not self.over_since:
                    self.over_since = time.monotonic()
                    self.outlet.watch_slow(self)
                return True
        self.outlet.close_soon(self, generation, reasons.SLOW_READER, drain=False)
        return False

    def park(self, work: Ready, send_buffer: int) -> bool:
        """Put work aside until the client has read. Whoever flushes the slot then puts it into the ready queue.

        Args:
            work: the slot itself, whose `owner` the caller gives away by this, or a concurrent request.
            send_buffer: bytes waiting for the client above which its messages are not handled.

        Returns:
            Whether it is parked; not if the client has read meanwhile.
        """
        with self.lock:
            behind = self.unsent > send_buffer
            if behind:
                self.parked.append(work)
            return behind

    def take_parked(self) -> list[Ready]:
        """Take what is parked; it may be handled again. Whoever has flushed the slot, or moves it."""
        with self.lock:
            parked, self.parked = self.parked, []
        return parked

    @property
    def running_concurrent(self) -> int:
        """How many of its concurrent messages wait or run."""
        return len(self.concurrent)

    def close_from_plugin(self, generation: int, reason: str) -> None:
        """Have the connection of this generation closed after what waits for it has been sent."""
        self.outlet.close_soon(self, generation, reason, drain=True)


def slot_of(connection: Connection) -> Slot:
    """The slot that a connection has, or had."""
    return connection._slot  # noqa: SLF001  # plugins get the connection, and shall not see it


def as_body(body: object) -> bytes:
    """A body as bytes. Raises TypeError, saying what was expected, if it is not bytes-like."""
    if type(body) is bytes:
        return body
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"a body is bytes, bytearray or memoryview, not {type(body).__name__}")
