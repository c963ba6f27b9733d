"""Writing a capture: records are only ever appended, so all that was written before a failure can be read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from commscaffoldd.capture.records import LENGTH, MAGIC, START, VERSION, Header, Record, append_record

MODE: Final = 0o600
"""Bodies may be secret."""


class CaptureWriter:
    """Writes one capture. A context manager, which closes it.

    Attributes:
        path: the file.
        size: bytes written so far, all of whole records.
    """

    def __init__(self, path: Path, header: Header, *, replace: bool = False) -> None:
        """Make the file, readable for its owner alone, and write the header.

        Args:
            path: where.
            header: the first record.
            replace: whether a file that is there may be replaced.

        Raises:
            OSError: it cannot be made or written; FileExistsError if it is there and not to be replaced, or is
                no file: a device, say.
        """
        self.path = path
        self.size = 0
        if replace:  # not opened and emptied: somebody may have it open for reading
            _remove_file(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            first = bytearray(START.pack(MAGIC, VERSION))
            append_record(first, header)
            self.append_bytes(bytes(first))
        except BaseException:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def __enter__(self) -> Self:
        """Itself, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def append(self, record: Record) -> None:
        """Append a record. Raises OSError, as `append_bytes`."""
        data = bytearray()
        append_record(data, record)
        self.append_bytes(bytes(data))

    def append_bytes(self, data: bytes) -> None:
        """Append records that are encoded already.

        Raises:
            OSError: they cannot be written; the file then ends with the last record that could.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.size += _whole_records(data, len(data) - len(view))
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.size += len(data)

    def close(self) -> None:
        """Close it. Twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _remove_file(path: Path) -> None:
    """Remove it if it is a file, or a link to anything: never a device, which root could remove as well."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            path.unlink()


def _whole_records(data: bytes, written: int) -> int:
    """How many bytes the records have that are whole among the first `written` ones."""
    whole = 0
    while whole + LENGTH.size <= written:
        end = whole + LENGTH.size + LENGTH.unpack_from(data, whole)[0]
        if end > written:
            break
        whole = end
    return whole
