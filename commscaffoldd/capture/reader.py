"""Reading a capture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.records import MAGIC, START, VERSION, Header, Record
from commscaffoldd.capture.splitter import RecordSplitter

_CHUNK: Final = 1 << 20


class CaptureReader:
    """A capture, read once from its beginning to its end. A context manager, which closes it.

    A capture may end in the middle of a record, if its disk was full or `capture` was killed: all records before
    are given, and `cut_off` says so then.

    Attributes:
        path: the file.
        header: its first record.
        number: of the record that was given last, from 1; the header is number 1.
        cut_off: how many bytes of a record that is not complete stand at the end. Known at the end.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened or read.
            CaptureError: it is no capture, or one of another version.
        """
        self.path = path
        self.number = 0
        self.cut_off = 0
        self._splitter = RecordSplitter()
        self._file = path.open("rb")
        try:
            self._check_start(self._file.read(START.size))
            self._records = self._read()
            first = next(self._records, None)
            if not isinstance(first, Header):
                raise CaptureError(f"{path}: record 1 must be the header; it is {_name(first)}")
        except BaseException:
            self._file.close()
            raise
        self.header: Header = first

    def __enter__(self) -> Self:
        """Itself, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._file.close()

    def __iter__(self) -> Iterator[Record]:
        """The records behind the header, in the file's order.

        Raises:
            OSError: it cannot be read.
            CaptureError: what stands there is no record.
        """
        return self._records

    def time_of_day(self, time: int) -> dt.datetime:
        """A record's time, as a time of day in UTC. Raises CaptureError if no calendar has it."""
        seconds = self.header.started + (time - self.header.clock) / 1e9
        try:
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        except (ValueError, OverflowError, OSError):
            raise CaptureError(
                f"{self.path}: record {self.number} has a time of {seconds:g} s after 1970; allowed: years 1 to 9999"
            ) from None

    def describe_end(self) -> str:
        """A note about a capture that was cut off; empty if it was not. Once all records have been given."""
        if not self.cut_off:
            return ""
        return (
            f"{self.path}: the capture was cut off: its last {self.cut_off} bytes are no whole record; "
            f"{self.number} records were read"
        )

    def _check_start(self, start: bytes) -> None:
        if start[: len(MAGIC)] != MAGIC:
            raise CaptureError(f"{self.path}: this is no capture: it does not begin with {MAGIC!r}")
        if len(start) < START.size:
            raise CaptureError(f"{self.path}: the capture was cut off before its first record")
        _, version = START.unpack(start)
        if version != VERSION:
            raise CaptureError(f"{self.path}: a capture of version {version}; this program reads version {VERSION}")

    def _read(self) -> Iterator[Record]:
        try:
            while piece := self._file.read(_CHUNK):
                for record, _ in self._splitter.feed(piece):
                    self.number = self._splitter.number
                    yield record
        except CaptureError as error:
            raise CaptureError(f"{self.path}: {error}") from None
        self.cut_off = self._splitter.pending


def _name(record: Record | None) -> str:
    return "not there" if record is None else f"a {type(record).__name__.lower()}"
