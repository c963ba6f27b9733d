"""Clients of a test, driven without a thread: `pump` takes what has come, and never waits."""

from __future__ import annotations

import contextlib
import socket
import struct

from commscaffoldd.core.framing import Frame, FrameReader
from commscaffoldd.core.layout import PRESETS, Layout

STANDARD = PRESETS["standard"]


class Peer:
    """One client: what it got, and how its connection ended."""

    def __init__(self, sock: socket.socket, layout: Layout = STANDARD) -> None:
        self.sock = sock
        self.layout = layout
        self.frames: list[Frame] = []
        self.ended = False  # by an end of file
        self.reset = False
        self._reader = FrameReader(layout, 1 << 30)
        sock.setblocking(False)

    @property
    def gone(self) -> bool:
        self.pump()
        return self.ended or self.reset

    def bodies(self) -> list[bytes]:
        self.pump()
        return [body for _, _, body in self.frames]

    def encode(self, message_id: int, body: bytes = b"", sequence: int = 0) -> bytes:
        return self.layout.encode(message_id, sequence, body)

    def send(self, message_id: int, body: bytes = b"", sequence: int = 0) -> None:
        self.sock.sendall(self.encode(message_id, body, sequence))

    def send_some(self, data: bytes) -> int:
        """As much as the socket takes now."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def pump(self, at_most: int = 1 << 30) -> None:
        """Take what has come."""
        while at_most > 0 and not (self.ended or self.reset):
            try:
                data = self.sock.recv(min(at_most, 65536))
            except BlockingIOError:
                return
            except ConnectionError:
                self.reset = True
                return
            at_most -= len(data)
            frames, error = self._reader.feed(data)
            assert error is None, error
            self.frames += frames
            self.ended = not data

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Close with a reset."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()
