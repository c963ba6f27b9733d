"""Framing: a stream of bytes in, frames out. No socket in sight.

Invariants, whatever bytes come and however they are split:
- the same frames come out, for any split and any gluing of the stream;
- a length is checked before anything of its body is kept: what is kept is less than one frame of `max_body`;
- wrong bytes give a `FrameError`, never an exception; after it the reader takes no more.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from commscaffoldd.core.checksum import crc32
from commscaffoldd.core.layout import Layout

Frame: TypeAlias = tuple[int, int, bytes]
"""A frame cut out: message ID, sequence (0 where the layout has none), body."""


class FrameError(Struct, frozen=True):
    """Why a stream cannot go on: nothing after this point can be trusted to be a frame."""

    kind: Literal["length", "magic", "checksum"]
    text: str


def bad_magic(found: int, expected: int) -> FrameError:
    """A constant field holds something else."""
    return FrameError("magic", f"{found:#x} where {expected:#x} must stand")


def bad_length(length: int, body_offset: int, max_body: int) -> FrameError:
    """A length field's value makes no body, or too large a one."""
    size = length + body_offset
    if size < 0:
        return FrameError("length", f"length {length} is below the header's own size")
    return FrameError("length", f"length {length} means a body of {size} bytes, above max_body = {max_body}")


def bad_checksum(found: int, computed: int) -> FrameError:
    """A body is not what its header says."""
    return FrameError("checksum", f"crc32 {found:#010x} in the header, {computed:#010x} of the body")


class FrameReader:
    """Cuts one connection's stream into frames. Used by one thread at a time.

    Attributes:
        dropped: frames left out for a wrong checksum so far (`drop_bad_checksums`).
    """

    __slots__ = ("_default_id", "_drop", "_error", "_layout", "_max_body", "_needed", "_remainder", "dropped")

    def __init__(
        self, layout: Layout, max_body: int, *, default_id: int = 1, drop_bad_checksums: bool = False
    ) -> None:
        """A reader at the start of a stream.

        Args:
            layout: the header layout.
            max_body: the largest body, in bytes, that is accepted.
            default_id: the message ID of frames where the layout has none.
            drop_bad_checksums: leave such frames out and go on, instead of ending with an error.
        """
        self._layout = layout
        self._max_body = max_body
        self._default_id = default_id
        self._drop = drop_bad_checksums
        self._remainder: bytearray | None = None  # an incomplete frame; None keeps idle connections small
        self._needed = 0  # bytes that the remainder must have before cutting again makes sense
        self._error: FrameError | None = None
        self.dropped = 0

    @property
    def buffered(self) -> int:
        """Bytes of an incomplete frame that are kept; 0 between frames."""
        return len(self._remainder) if self._remainder is not None else 0

    @property
    def head(self) -> bytes:
        """The first few bytes of the incomplete frame; empty between frames."""
        return bytes(self._remainder[:16]) if self._remainder is not None else b""

    @property
    def kept(self) -> bytes:
        """All bytes of the incomplete frame; empty between frames."""
        return bytes(self._remainder) if self._remainder is not None else b""

    def keep(self, data: bytes) -> None:
        """Begin with what another reader has kept."""
        if data:
            self._remainder = bytearray(data)

    def feed(self, data: bytes) -> tuple[list[Frame], FrameError | None]:
        """Take the next bytes of the stream; give the frames that are complete now, and why it cannot go on.

        Frames before the error are given with it.
        """
        if self._error is not None:
            return [], self._error
        if self._remainder is None:
            return self._cut(data)
        self._remainder += data
        if len(self._remainder) < self._needed:
            return [], None
        joined = bytes(self._remainder)
        self._remainder = None
        return self._cut(joined)

    def _cut(self, data: bytes) -> tuple[list[Frame], FrameError | None]:
        # Everything in this loop is paid for each message: names are local, and the layout's fields are
        # taken by position instead of through a method.
        header_size, body_offset, unpack_from, length_at, magics, id_at, sequence_at, crc_at = self._layout.cutting
        max_body, default_id = self._max_body, self._default_id
        frames: list[Frame] = []
        start, end = 0, len(data)
        needed = header_size
        while end - start >= header_size:
            fields = unpack_from(data, start)
            for index, value in magics:
                if fields[index] != value:
                    return frames, self._fail(bad_magic(fields[index], value))
            size = fields[length_at] + body_offset
            if size < 0 or size > max_body:
                return frames, self._fail(bad_length(fields[length_at], body_offset, max_body))
            needed = header_size + size
            if end - start < needed:
                break
            body = data[start + header_size : start + needed]
            start += needed
            needed = header_size
            if crc_at >= 0 and crc32(body) != fields[crc_at]:
                if self._drop:
                    self.dropped += 1
                    continue
                return frames, self._fail(bad_checksum(fields[crc_at], crc32(body)))
            frames.append(
                (
                    fields[id_at] if id_at >= 0 else default_id,
                    fields[sequence_at] if sequence_at >= 0 else 0,
                    body,
                )
            )
        if start < end:
            self._remainder = bytearray(data[start:])
            self._needed = needed
        return frames, None

    def _fail(self, error: FrameError) -> FrameError:
        self._remainder = None
        self._error = error
        return error
