"""JSON objects, one a line, over a stream socket: the worker channels and the control socket."""

from __future__ import annotations

import contextlib
import math
import socket
from typing import Any, Final, Protocol

import msgspec

from commscaffoldd.master.loop import READ, WRITE, Loop

_CHUNK: Final = 65536
_TURN: Final = 1 << 20  # bytes read in one turn: one talker must not keep the loop to itself

JsonObject = dict[str, Any]


class Receiver(Protocol):
    """Whoever hears what comes over a `LineStream`."""

    def received(self, message: JsonObject) -> None:
        """One JSON object has come."""

    def ended(self, reason: str) -> None:
        """Nothing more will come; the stream is closed. `reason` is empty for a plain end of the stream."""


class LineStream:
    """One stream, read and written without blocking, both within bounds.

    A line longer than `max_line` bytes, one that is no JSON object, or more than `max_unsent` bytes that the other
    side does not take, end the stream with a reason.
    """

    def __init__(
        self, loop: Loop, connected: socket.socket, receiver: Receiver, max_line: int, max_unsent: int
    ) -> None:
        connected.setblocking(False)
        self._loop = loop
        self._socket = connected
        self._receiver = receiver
        self._max_line = max_line
        self._max_unsent = max_unsent
        self._incoming = bytearray()
        self._unsent = bytearray()
        self._closing = False
        self._reading = True
        self.open = True
        loop.watch(connected.fileno(), READ, self._happened)

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other side to take them."""
        return len(self._unsent)

    def send(self, message: JsonObject) -> None:
        """Send one object, now or when the other side can take it. Nothing happens once the stream is closed."""
        if not self.open or self._closing:
            return
        self._unsent += msgspec.json.encode(message) + b"\n"
        self._flush()
        if self.open and len(self._unsent) > self._max_unsent:
            self._end(f"{len(self._unsent)} bytes are not taken by the other side")

    def send_descriptor(self, message: JsonObject, fd: int) -> bool:
        """Send one object and a descriptor with it, now or not at all; gives whether it was sent."""
        if not self.open or self._closing or self._unsent:
            return False
        data = msgspec.json.encode(message) + b"\n"
        try:
            sent = socket.send_fds(self._socket, [data], [fd])
        except OSError:
            return False
        self._unsent += data[sent:]
        self._flush()
        return True

    def close_when_sent(self) -> None:
        """Send what waits, then close; what comes in is no longer heard."""
        self._closing = True
        self._reading = False
        if self.open:
            self._flush()

    def drain(self) -> None:
        """Hear all that has come already, of a sender that is known to have ended."""
        if self.open and self._reading:
            self._read(math.inf)

    def close(self) -> None:
        """Close now, without telling the receiver. May be called twice."""
        if self.open:
            self.open = False
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()

    def _end(self, reason: str) -> None:
        self.close()
        self._receiver.ended(reason)

    def _happened(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self.open and events & ~WRITE:
            if self._reading:
                self._read()
            else:
                self._end("")  # only errors and hang-ups are heard now

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        if self._closing and not self._unsent:
            self._end("")
        else:
            events = (READ if self._reading else 0) | (WRITE if self._unsent else 0)
            self._loop.watch(self._socket.fileno(), events, self._happened)

    def _read(self, longest: float = _TURN) -> None:
        taken = 0
        try:
            while self.open and self._reading and taken < longest:
                data = self._socket.recv(_CHUNK)
                taken += len(data)
                if not data:
                    self._end("")
                else:
                    self._take(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(error.strerror or str(error))

    def _take(self, data: bytes) -> None:
        searched = len(self._incoming)
        self._incoming += data
        start = 0
        while self.open and self._reading:
            end = self._incoming.find(b"\n", max(start, searched))
            if end < 0:
                break
            line = bytes(self._incoming[start:end])
            start = end + 1
            self._line(line)
        del self._incoming[:start]
        if self.open and len(self._incoming) > self._max_line:
            self._end(f"a line is longer than {self._max_line} bytes")

    def _line(self, line: bytes) -> None:
        try:
            message = msgspec.json.decode(line, type=JsonObject)
        except (msgspec.DecodeError, RecursionError) as error:
            self._end(f"a line is not a JSON object: {error}")
            return
        self._receiver.received(message)


def send_line(connected: socket.socket, message: JsonObject) -> None:
    """Send one object on a socket that nobody watches; whatever goes wrong is left to the other side to notice."""
    with contextlib.suppress(OSError):
        connected.sendall(msgspec.json.encode(message) + b"\n")
