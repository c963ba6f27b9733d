"""Accepting: which worker accepts when, and what happens when it cannot.

Three ways, per listener:
- `exclusive`: all workers watch the listener with EPOLLEXCLUSIVE (epoll_ctl(2)); the kernel wakes one.
- `reuseport`: each worker has a socket of its own; the kernel spreads the clients.
- `mutex`: the accept mutex: who holds it watches the listeners during one wait; the others ask again.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.file_lock import FileLock

logger = logging.getLogger(__name__)

BATCH: Final = 64  # connections accepted from one listener in one turn: the others' messages wait meanwhile
BACK_OFF: Final = 0.1  # seconds without accepting when descriptors or memory have run out
MUTEX_DELAY: Final = 0.1  # seconds until a worker asks again for the accept mutex
NEAR_LIMIT: Final = 8  # a worker with less than 1/8 of its connections left leaves accepting to others

# accept(2), "Error handling": the client has gone before it was accepted, or a firewall forbids it. What is not in
# here takes nothing from the listener's queue, so trying again at once would not end.
_CLIENT_GONE: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EPERM,
        errno.EPROTO,
    }
)


class Listener(Struct, eq=False):
    """A listening socket, what its clients speak, and how accepting is shared between workers."""

    socket: socket.socket
    endpoint: Endpoint
    mode: Literal["mutex", "exclusive", "reuseport"]


class AcceptMutex(FileLock):
    """The accept mutex: who holds it accepts."""


class Watcher(Protocol):
    """What an acceptor needs of epoll."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor. Raises OSError."""

    def unregister(self, fd: int, /) -> None:
        """Watch it no more. Raises OSError."""


Accepted: TypeAlias = "tuple[list[tuple[Any, object]], OSError | None]"
"""Clients, each a socket or a descriptor, with their peers' addresses; and why no more could be accepted."""


def accept_some(listener: socket.socket, limit: int) -> Accepted:
    """Accept at most so many clients from a listening, non-blocking socket; as non-blocking sockets.

    Returns:
        The error is `None` if nobody waits any more, or the limit has been reached.
    """
    accepted: list[tuple[Any, object]] = []
    while len(accepted) < limit:
        try:
            client, peer = listener.accept()
        except BlockingIOError:
            break
        except OSError as error:
            return accepted, error
        client.setblocking(False)
        accepted.append((client, peer))
    return accepted, None


class Acceptor:
    """Watches the listeners when this worker may accept, and accepts. The reactor's thread only.

    Attributes:
        watched: the descriptors of the listeners that are watched now.
    """

    def __init__(
        self,
        listeners: list[Listener],
        epoll: Watcher,
        accept_some: Callable[[socket.socket, int], Accepted],
        mutex: AcceptMutex | None,
        maximum: int,
        counters: Counters,
    ) -> None:
        """An acceptor.

        Args:
            listeners: listening, non-blocking sockets.
            epoll: where they are watched.
            accept_some: accepts from a listener, so many at most.
            mutex: the accept mutex; needed if a listener's mode is `mutex`.
            maximum: connections that this worker may have.
            counters: the reactor's.
        """
        self._epoll = epoll
        self._accept_some = accept_some
        self._mutex = mutex
        self._near = maximum / NEAR_LIMIT
        self._counters = counters
        self._by_fd = {listener.socket.fileno(): listener for listener in listeners}
        self.watched: set[int] = set()
        self._resume_at = 0.0  # monotonic: backing off until then
        self._exhausted = False
        self._ask_mutex_at = 0.0
        self._simple = False  # all listeners are watched, and nobody has to be asked
        self._one_at_a_time = False  # near the limit, and nobody else takes the mutex

    @property
    def accepting(self) -> bool:
        """Whether any listener is watched now."""
        return bool(self.watched)

    def prepare(self, room: int, now: float) -> float:
        """Before a wait: watch the listeners that this worker may accept from now.

        Args:
            room: connections that may still be opened.
            now: monotonic time.

        Returns:
            Seconds after which the wait must end so that this is asked again.
        """
        if self._simple and room > 0 and now >= self._resume_at:  # by far the most frequent
            return float("inf")
        if room <= 0 or not self._by_fd:
            self._watch(set())
            return float("inf")
        if now < self._resume_at:
            self._watch(set())
            return self._resume_at - now
        wanted = {fd for fd, listener in self._by_fd.items() if listener.mode != "mutex"}
        wait = float("inf")
        if len(wanted) < len(self._by_fd):
            if self._may_take_mutex(room, now):
                wanted = set(self._by_fd)
            else:
                wait = MUTEX_DELAY
        self._watch(wanted)
        return wait

    def accept(self, fd: int, room: int, now: float) -> list[tuple[Any, object, Endpoint]]:
        """Accept what waits at the listener with this descriptor: at most `room`, at most `BATCH`.

        Returns:
            Clients, peers' addresses, and the listener's endpoint. Empty if `fd` is no listener.
        """
        listener = self._by_fd.get(fd)
        accepted: list[tuple[Any, object, Endpoint]] = []
        if listener is None:
            return accepted
        limit = min(room, 1 if self._one_at_a_time and listener.mode == "mutex" else BATCH)
        while len(accepted) < limit:
            some, error = self._accept_some(listener.socket, limit - len(accepted))
            accepted += [(client, peer, listener.endpoint) for client, peer in some]
            if error is None:
                break
            if error.errno not in _CLIENT_GONE:
                self._back_off(error, now)
                break
        if accepted and self._exhausted and now >= self._resume_at:
            self._exhausted = False
            logger.info("accepting again")
        return accepted

    def settle(self) -> None:
        """After accepting: let others have the accept mutex, before this turn's messages are handled."""
        if self._mutex is not None:
            self._mutex.release()

    def stop(self) -> None:
        """Accept no more, for good."""
        self._watch(set())
        self._by_fd = {}
        self.settle()

    def _may_take_mutex(self, room: int, now: float) -> bool:
        assert self._mutex is not None, "a listener with accept = mutex, and no mutex"
        self._one_at_a_time = room < self._near
        if self._one_at_a_time:
            # Others come first. If all are near their limit somebody must accept all the same: now and then.
            if now < self._ask_mutex_at:
                return False
            self._ask_mutex_at = now + MUTEX_DELAY
        return self._mutex.try_acquire()

    def _watch(self, wanted: set[int]) -> None:
        # An EPOLLEXCLUSIVE entry cannot be modified, so entries are added and removed.
        for fd in self.watched - wanted:
            self._epoll.unregister(fd)
        for fd in wanted - self.watched:
            exclusive = self._by_fd[fd].mode == "exclusive"
            self._epoll.register(fd, select.EPOLLIN | (select.EPOLLEXCLUSIVE if exclusive else 0))
        self.watched = wanted
        self._simple = self._mutex is None and len(wanted) == len(self._by_fd)

    def _back_off(self, error: OSError, now: float) -> None:
        self._resume_at = now + BACK_OFF
        self._counters.accept_failures += 1
        if not self._exhausted:
            self._exhausted = True
            logger.error(
                f"accepting pauses: {error.strerror}; it is tried every {BACK_OFF:g} s, "
                "and this is not logged again until it works"
            )
