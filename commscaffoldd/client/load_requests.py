"""The requests of a load: one message, encoded once; only its sequence changes."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable
from typing import Final

from commscaffoldd.client.sequence import sequence_field
from commscaffoldd.core.layout import HEARTBEAT_ID, Layout

_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Requests:
    """Encodes the same message with one sequence after another. Immutable; any connection may use it.

    Attributes:
        frame_size: bytes of each frame.
        largest_sequence: 0 if all have sequence 0: the layout has none, or they are heartbeats.
    """

    def __init__(self, layout: Layout, message_id: int, body: bytes) -> None:
        """Raises ValueError if the message does not fit the layout."""
        frame = layout.encode(message_id, 0, body)
        self.frame_size = len(frame)
        self._frame = frame
        self._field = None if layout.has_id and message_id == HEARTBEAT_ID else sequence_field(layout)
        self.largest_sequence = 0 if self._field is None else self._field.largest
        if self._field is not None:
            self._before = frame[: self._field.offset]
            after = frame[self._field.offset + self._field.size :]
            # Between two sequences stands the rest of one frame and the begin of the next.
            self._between = after + self._before
            self._after = after
            self._write = _writer(self._field.size, layout.spec.byte_order)

    def sequences_after(self, last: int, count: int) -> Iterable[int]:
        """The sequences of the next requests, after the last one's; never 0 where there are sequences."""
        if self._field is None:
            return [0] * count
        if last + count <= self._field.largest:
            return range(last + 1, last + count + 1)
        sequences = []
        for _ in range(count):
            last = self._field.after(last)
            sequences.append(last)
        return sequences

    def encode(self, sequences: Iterable[int], count: int) -> bytes:
        """The frames with these sequences, of which there are `count`, joined."""
        if self._field is None:
            return self._frame * count
        return b"".join((self._before, self._between.join(map(self._write, sequences)), self._after))


def _writer(size: int, byte_order: str) -> Callable[[int], bytes]:
    if size in _CODES:
        return struct.Struct((">" if byte_order == "big" else "<") + _CODES[size]).pack
    return functools.partial(_write_wide, size=size, byte_order=byte_order)


def _write_wide(sequence: int, size: int, byte_order: str) -> bytes:
    return sequence.to_bytes(size, "big" if byte_order == "big" else "little")
