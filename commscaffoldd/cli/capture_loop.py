"""What `capture` does while it captures: takes workers' records as they come, and writes them into one file."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import click
from msgspec import Struct

from commscaffoldd.capture.records import End, Joined, Lost, Received, Sent
from commscaffoldd.capture.splitter import RecordSplitter
from commscaffoldd.capture.writer import CaptureWriter
from commscaffoldd.cli.units import counted, number, size
from commscaffoldd.master.capture_client import CaptureLink

STOPPED: Final = "the daemon has stopped, or was replaced"
_INTERRUPTED: Final = "interrupted"
_CHUNK: Final = 1 << 18
_TURN: Final = 0.1  # seconds of a wait: how soon a signal or the duration's end is seen
_LAST_WORDS: Final = 3.0  # seconds for workers to send what they have left
_JOIN: Final = 2.0  # seconds for them to say that they take part
_SHOW: Final = 0.25  # seconds between two lines of progress
_FOR_THE_END: Final = 256  # bytes of `max_size` that the last record may need


class Limits(Struct, frozen=True):
    """What ends a capture: `duration` in seconds, `count` in messages, `size` in bytes; `None`: that does not."""

    duration: float | None
    count: int | None
    size: int


class CaptureLoop:
    """One capture.

    Attributes:
        path: the file.
        messages: how many have been written.
        lost: how many records are missing.
    """

    def __init__(self, link: CaptureLink, writer: CaptureWriter, limits: Limits) -> None:
        """A capture into this writer, which the caller closes."""
        self._link = link
        self._writer = writer
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._splitters: dict[socket.socket, RecordSplitter] = {}
        self._reason = ""
        self._full = False  # nothing more may be written
        self._joined = 0
        self._next_show = 0.0
        self._on_terminal = sys.stderr.isatty()
        self.path: Path = writer.path
        self.messages = 0
        self.lost = 0

    def run(self, workers: int) -> str:
        """Capture until a limit is reached, a signal comes, or the daemon ends; says why it ended.

        `workers` is how many are expected to say that they take part.

        Raises:
            OSError: the file cannot be written any more; it ends with a whole record.
        """
        try:
            with self._signals():
                self._selector.register(self._link, selectors.EVENT_READ)
                self._begin(workers)
                self._go_on()
                self._finish()
        finally:
            for stream in self._splitters:
                stream.close()
            self._selector.close()
        self._writer.append(End(time.monotonic_ns(), self._reason, self.messages, self.lost))
        return self._reason

    def _begin(self, workers: int) -> None:
        self._take_arrived()
        deadline = time.monotonic() + _JOIN
        while self._joined < workers and not self._reason and time.monotonic() < deadline:
            self._turn()
        taking_part = counted(self._joined, "worker")
        click.echo(f"capturing from {taking_part} into {self.path}; Ctrl-C ends it", err=True)

    def _go_on(self) -> None:
        duration = self._limits.duration
        deadline = float("inf") if duration is None else time.monotonic() + duration
        while not self._reason:
            self._turn(min(_TURN, max(0.0, deadline - time.monotonic())))
            if not self._reason and time.monotonic() >= deadline:
                self._reason = f"{duration:g} seconds are over"
            self._show()
        if self._on_terminal:
            click.echo("", err=True)

    def _finish(self) -> None:
        """Let the workers send what they have, but where a limit has been reached."""
        deadline = time.monotonic() + (0.0 if self._full else _LAST_WORDS)
        if not self._link.ended:  # who joins now would not be told to end
            self._selector.unregister(self._link)
        for stream in self._splitters:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_WR)
        while self._splitters and not self._full and time.monotonic() < deadline:
            self._turn()

    def _turn(self, longest: float = _TURN) -> None:
        for key, _ in self._selector.select(longest):
            if isinstance(key.fileobj, CaptureLink):
                for _line in self._link.receive():
                    pass  # progress of others is no business of ours
                self._take_arrived()
                if self._link.ended:
                    self._selector.unregister(self._link)
            elif isinstance(key.fileobj, socket.socket) and not self._full:
                self._take(key.fileobj)
        if self._link.ended and not self._splitters:
            self._reason = self._reason or STOPPED

    def _take_arrived(self) -> None:
        while self._link.arrived:
            stream = self._link.arrived.pop(0)
            self._splitters[stream] = RecordSplitter()
            self._selector.register(stream, selectors.EVENT_READ)

    def _take(self, stream: socket.socket) -> None:
        try:
            piece = stream.recv(_CHUNK)
        except OSError:
            piece = b""
        if not piece:  # the worker has ended: what it had not sent is lost, and nobody knows how much that was
            self._selector.unregister(stream)
            del self._splitters[stream]
            stream.close()
            return
        together, messages = bytearray(), self.messages
        for record, whole in self._splitters[stream].feed(piece):
            if self._writer.size + len(together) + len(whole) + _FOR_THE_END > self._limits.size:
                self._full, self._reason = True, f"--max-size {size(self._limits.size)} is reached"
                break
            together += whole
            if isinstance(record, Received | Sent):
                messages += 1
                if messages == self._limits.count:
                    self._full, self._reason = True, f"--count {number(messages)} is reached"
                    break
            elif isinstance(record, Lost):
                self.lost += record.count
            elif isinstance(record, Joined):
                self._joined += 1
        self._writer.append_bytes(bytes(together))
        self.messages = messages  # what has been written; not what should have been, when the disk is full

    def _show(self) -> None:
        now = time.monotonic()
        if self._on_terminal and now >= self._next_show:
            self._next_show = now + _SHOW
            text = f"{number(self.messages)} messages, {size(self._writer.size)}, {number(self.lost)} lost"
            click.echo(f"\r{text}\x1b[K", nl=False, err=True)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals end the capture between two records; a second one ends the command."""

        def interrupted(signum: int, _frame: FrameType | None) -> None:
            self._reason = self._reason or _INTERRUPTED
            signal.signal(signum, before[signal.Signals(signum)])

        before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for one in before:
            signal.signal(one, interrupted)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
