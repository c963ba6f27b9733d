"""Splitting a stream of bytes into records, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.records import LENGTH, MAX_RECORD, Record, decode_record


class RecordSplitter:
    """Takes pieces, gives records.

    Attributes:
        number: of the last record that was given, from 1.
        offset: how many bytes the records that were given have, with their lengths.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self.number = 0
        self.offset = 0

    @property
    def pending(self) -> int:
        """Bytes of a record that is not complete yet."""
        return len(self._data)

    def feed(self, piece: bytes) -> Iterator[tuple[Record, bytes]]:
        """Take a piece; give each record that is complete now, and its bytes, with its length.

        Raises:
            CaptureError: what comes next is no record.
        """
        self._data += piece
        data, at = self._data, 0
        try:
            while len(data) - at >= LENGTH.size:
                (size,) = LENGTH.unpack_from(data, at)
                if not 0 < size <= MAX_RECORD:
                    raise CaptureError(f"{self._where()} has a length of {size} bytes; allowed: 1 to {MAX_RECORD}")
                end = at + LENGTH.size + size
                if len(data) < end:
                    break
                whole = bytes(data[at:end])
                record = self._decode(whole)
                at = end
                self.number += 1
                self.offset += len(whole)
                yield record, whole
        finally:
            del data[:at]

    def _decode(self, whole: bytes) -> Record:
        try:
            return decode_record(memoryview(whole)[LENGTH.size :])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CaptureError(f"{self._where()} cannot be read: {error}") from None

    def _where(self) -> str:
        return f"record {self.number + 1}, {self.offset} bytes after the first one's beginning,"
