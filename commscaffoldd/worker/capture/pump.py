"""The pump: a thread that brings a recorder's records to whoever captures, until he wants no more."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from commscaffoldd.capture.records import Joined, Record, append_record
from commscaffoldd.worker.capture.recorder import Recorder

logger = logging.getLogger(__name__)

EVERY: Final = 20
"""Milliseconds between two looks at the recorder: waking for each record would cost more than the record."""
_PIECE: Final = 65536  # bytes sent at once, or more if a record is larger


class Pump:
    """Owns the thread and the socket. The recorder must be tapped before `start`."""

    def __init__(self, recorder: Recorder, stream: socket.socket, joined: Joined, untap: Callable[[], None]) -> None:
        """A pump.

        Args:
            recorder: has the records.
            stream: whoever captures has its other end. Owned from now on.
            joined: the first record.
            untap: takes the recorder off the path. Called once, on the pump's thread.
        """
        self._recorder = recorder
        self._stream = stream
        self._joined = joined
        self._untap = untap
        self._stopping = threading.Event()
        # Not a service thread: a worker can serve without it.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what is there, and end; waits for at most so many seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            # An error is a `capture` that has ended without a word, killed perhaps: nobody misses the records.
            with contextlib.suppress(OSError):
                self._pump()
        except Exception:
            logger.exception("a capture ended by an unexpected error: please report this")
        finally:
            self._untap()
            self._stream.close()

    def _pump(self) -> None:
        self._stream.setblocking(True)
        self._send([self._joined])
        poll = select.poll()
        poll.register(self._stream, select.POLLRDHUP)  # a hang-up is told in any case
        while not self._stopping.is_set() and not poll.poll(EVERY):
            self._send(self._recorder.take())
        self._untap()
        self._send(self._recorder.take())

    def _send(self, records: list[Record]) -> None:
        piece = bytearray()
        for record in records:
            append_record(piece, record)
            if len(piece) >= _PIECE:
                self._stream.sendall(piece)
                piece.clear()
        if piece:
            self._stream.sendall(piece)
