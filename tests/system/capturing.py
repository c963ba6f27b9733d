"""A `capture` that runs beside a test."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from commscaffoldd.capture.reader import CaptureReader
from commscaffoldd.capture.records import Header, Received, Record, Sent
from tests.system.daemon import PATIENCE, Daemon, Done


class Capturing:
    """The command, which has said that it captures.

    Attributes:
        path: the file.
    """

    def __init__(self, daemon: Daemon, *words: str, path: Path | None = None) -> None:
        self.path = path or daemon.folder / "x.cap"
        self.process = daemon.begin("capture", "-o", str(self.path), *words)
        assert self.process.stderr is not None
        self.began = self.process.stderr.readline()
        assert self.began.startswith("capturing from"), self.began

    def end(self, sent: int | None = signal.SIGINT) -> Done:
        """How it ended, after this signal."""
        if sent is not None:
            self.process.send_signal(sent)
        out, err = self.process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return Done(self.process.returncode, out, err)

    def records(self) -> list[Record]:
        """What the file has, but the header."""
        return read(self.path)[1]

    def messages(self) -> list[tuple[str, int, bytes]]:
        """The messages: direction, ID, body."""
        return messages(self.records())


@contextlib.contextmanager
def capturing(daemon: Daemon, *words: str, path: Path | None = None) -> Iterator[Capturing]:
    """Captures, until it is ended; at the latest here."""
    running = Capturing(daemon, *words, path=path)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.communicate(timeout=PATIENCE)
        for stream in (running.process.stdout, running.process.stderr):
            if stream is not None:
                stream.close()


def read(path: Path) -> tuple[Header, list[Record]]:
    """A capture's header, and its other records."""
    with CaptureReader(path) as capture:
        records = list(capture)
        assert capture.cut_off == 0
        return capture.header, records


def messages(records: list[Record]) -> list[tuple[str, int, bytes]]:
    """The messages among the records: direction, ID, body."""
    found = [record for record in records if isinstance(record, Received | Sent)]
    return [("in" if isinstance(one, Received) else "out", one.id, one.body) for one in found]
