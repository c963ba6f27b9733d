"""Pairing: which request a message from the daemon answers."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

from msgspec import Struct

from commscaffoldd.capture.filter import answered_id
from commscaffoldd.core.layout import Layout

_Key: TypeAlias = tuple[str, int]
_ANY: Final = 0  # stands for all message IDs where the layout has none


class _Asked(Struct):
    index: int
    answered: bool = False


class Pairing:
    """Pairs the messages of one connection.

    By the sequence, where the layout has one and the request's is not 0; else by the message ID, in order; where
    there is no ID either, in order alone. Error replies are known by what they answer. A second reply to a request is
    the next one's that has the same sequence, or ID, if there is one; else it is another one of its own.
    """

    def __init__(self, layout: Layout) -> None:
        """Nothing has been asked yet."""
        self._layout = layout
        self._asked: dict[_Key, deque[_Asked]] = {}

    def ask(self, index: int, message_id: int, sequence: int) -> None:
        """A request has been sent; `index` is what `answered` shall give for its replies."""
        self._asked.setdefault(self._key(message_id, sequence), deque()).append(_Asked(index))

    def answered(self, message_id: int, sequence: int, body: bytes) -> int | None:
        """The index of the request that this message answers; `None` for a push."""
        waiting = self._asked.get(self._key(answered_id(message_id, body, self._layout.error_id), sequence))
        if not waiting:
            return None
        while waiting[0].answered and len(waiting) > 1:
            waiting.popleft()
        waiting[0].answered = True
        return waiting[0].index

    def _key(self, message_id: int, sequence: int) -> _Key:
        if self._layout.has_sequence and sequence:
            return "sequence", sequence
        return "id", message_id if self._layout.has_id else _ANY
