"""What waits for a reply: the table of a conversation's calls, and which frame answers which of them."""

from __future__ import annotations

import collections
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final, Protocol

from commscaffoldd.client.errors import ClientError
from commscaffoldd.client.sequence import SequenceField, sequence_field
from commscaffoldd.core.layout import Layout

_NARROW: Final = 0xFFFFFF
_U32: Final = 0xFFFFFFFF


class Waiter(ABC):
    """A request that waits for its reply, or for several. The conversation calls it; it must not block.

    Attributes:
        message_id, sequence: the request's; set by the conversation.
        order: its number among the requests of its connection.
    """

    __slots__ = ("message_id", "order", "sequence")

    def __init__(self) -> None:
        self.message_id = 0
        self.sequence = 0
        self.order = 0

    @abstractmethod
    def reply(self, body: bytes) -> bool:
        """Take a reply; give whether it was the last one."""

    @abstractmethod
    def fail(self, error: ClientError) -> None:
        """There will be no reply any more."""


class Waiting(Protocol):
    """The requests that wait for replies on one connection."""

    def __len__(self) -> int:
        """How many."""

    def next_sequence(self) -> int:
        """The sequence for the next request; -1 if all that the layout has wait for replies."""

    def add(self, waiter: Waiter) -> None:
        """Wait for the reply of a request that is sent after all others here."""

    def answered(self, message_id: int, sequence: int) -> Waiter | None:
        """Whose reply a frame is; it still waits."""

    def refused(self, message_id: int | None, sequence: int) -> Waiter | None:
        """Whose request an error reply refuses; it still waits."""

    def remove(self, waiter: Waiter) -> None:
        """It has got its reply."""

    def abandon(self, waiter: Waiter) -> bool:
        """Nobody wants its reply any more. Give whether later replies could be mistaken because of that."""

    def late(self, sequence: int) -> None:
        """A reply has come that nobody waits for."""

    def clear(self) -> Iterable[Waiter]:
        """All of them, in the order in which they were sent; none waits any more."""


def waiting_for(layout: Layout, default_id: int) -> Waiting:
    """The table that suits a layout."""
    field = sequence_field(layout)
    return InOrder(None if layout.has_id else default_id) if field is None else BySequence(field)


class BySequence:
    """The layout has a sequence: it tells whose reply a frame is, in whatever order replies come."""

    def __init__(self, field: SequenceField) -> None:
        self._largest = field.largest
        self._after = field.after
        self._last = 0
        self._waiting: dict[int, Waiter] = {}
        # Where the sequence soon begins anew, the sequence of an abandoned request is not used again before its
        # reply has come: it could be taken for that of another.
        self._abandoned: set[int] | None = set() if field.largest <= _NARROW else None

    def __len__(self) -> int:
        """See `Waiting`."""
        return len(self._waiting)

    def next_sequence(self) -> int:
        """See `Waiting`."""
        sequence = self._after(self._last)
        if sequence in self._waiting or self._abandoned:
            sequence = self._first_free(sequence)
        if sequence > 0:
            self._last = sequence
        return sequence

    def add(self, waiter: Waiter) -> None:
        """See `Waiting`."""
        self._waiting[waiter.sequence] = waiter

    def answered(self, message_id: int, sequence: int) -> Waiter | None:
        """See `Waiting`."""
        waiter = self._waiting.get(sequence)
        return waiter if waiter is not None and waiter.message_id == message_id else None

    def refused(self, message_id: int | None, sequence: int) -> Waiter | None:
        """See `Waiting`."""
        del message_id
        return self._waiting.get(sequence)

    def remove(self, waiter: Waiter) -> None:
        """See `Waiting`."""
        self._waiting.pop(waiter.sequence, None)  # it may just have been abandoned, by the garbage collector

    def abandon(self, waiter: Waiter) -> bool:
        """See `Waiting`."""
        if self._waiting.get(waiter.sequence) is not waiter:
            return False
        del self._waiting[waiter.sequence]
        if self._abandoned is None:
            return False
        self._abandoned.add(waiter.sequence)
        return len(self._abandoned) > self._largest // 2

    def late(self, sequence: int) -> None:
        """See `Waiting`."""
        if self._abandoned is not None:
            self._abandoned.discard(sequence)

    def clear(self) -> Iterable[Waiter]:
        """See `Waiting`."""
        waiters, self._waiting = self._waiting, {}
        return waiters.values()

    def _first_free(self, sequence: int) -> int:
        abandoned = self._abandoned or ()
        if len(self._waiting) + len(abandoned) >= self._largest:
            return -1
        while sequence in self._waiting or sequence in abandoned:
            sequence = self._after(sequence)
        return sequence


class InOrder:
    """The layout has no sequence: replies come in the order of the requests with the same ID.

    Where it has no ID either, all have the same.
    """

    def __init__(self, only_id: int | None) -> None:
        self._only_id = only_id
        self._waiting: dict[int, collections.deque[Waiter]] = {}
        self._count = 0

    def __len__(self) -> int:
        """See `Waiting`."""
        return self._count

    def next_sequence(self) -> int:
        """See `Waiting`."""
        return 0

    def add(self, waiter: Waiter) -> None:
        """See `Waiting`."""
        self._waiting.setdefault(self._key(waiter), collections.deque()).append(waiter)
        self._count += 1

    def answered(self, message_id: int, sequence: int) -> Waiter | None:
        """See `Waiting`."""
        del sequence
        line = self._waiting.get(message_id)
        return line[0] if line else None

    def refused(self, message_id: int | None, sequence: int) -> Waiter | None:
        """See `Waiting`."""
        del sequence
        if message_id is None:
            return None
        # An error reply has the low 32 bits of the ID.
        heads = (line[0] for key, line in self._waiting.items() if key & _U32 == message_id)
        return min(heads, key=lambda waiter: waiter.order, default=None)

    def remove(self, waiter: Waiter) -> None:
        """See `Waiting`."""
        key = self._key(waiter)
        line = self._waiting[key]
        line.remove(waiter)  # the first one, nearly always
        if not line:
            del self._waiting[key]
        self._count -= 1

    def abandon(self, waiter: Waiter) -> bool:
        """See `Waiting`."""
        if waiter not in self._waiting.get(self._key(waiter), ()):
            return False
        self.remove(waiter)
        return True

    def late(self, sequence: int) -> None:
        """See `Waiting`."""

    def clear(self) -> Iterable[Waiter]:
        """See `Waiting`."""
        waiters = [waiter for line in self._waiting.values() for waiter in line]
        self._waiting.clear()
        self._count = 0
        return sorted(waiters, key=lambda waiter: waiter.order)

    def _key(self, waiter: Waiter) -> int:
        return waiter.message_id if self._only_id is None else self._only_id
