"""A server that a test plays by hand: it accepts, reads and sends when the test says so, and nothing else."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator

from commscaffoldd.client import Frame
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import PRESETS, Layout

PATIENCE = 15.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Peer:
    """A client's connection, from the server's side."""

    def __init__(self, connection: socket.socket, layout: Layout) -> None:
        connection.settimeout(PATIENCE)
        self.socket = connection
        self.layout = layout
        self._reader = FrameReader(layout, 1 << 26)
        self._frames: list[Frame] = []

    def read(self) -> Frame:
        """The next message from the client; heartbeats before it are answered."""
        while (frame := self.read_any()).id == 0:
            self.send(0, 0)
        return frame

    def read_any(self) -> Frame:
        """The next frame from the client, heartbeats too."""
        while not self._frames:
            data = self.socket.recv(65536)
            assert data, "the client closed the connection"
            frames, failure = self._reader.feed(data)
            assert failure is None
            self._frames += [Frame(*frame) for frame in frames]
        return self._frames.pop(0)

    def at_end(self) -> bool:
        """Waits for the client's next byte, or the end of its stream: whether it is the end."""
        try:
            return not self._frames and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def send(self, message_id: int, sequence: int, body: bytes = b"") -> None:
        self.socket.sendall(self.layout.encode(message_id, sequence, body))

    def reply(self, request: Frame, body: bytes) -> None:
        self.send(request.id, request.sequence, body)

    def refuse(self, request: Frame, code: int, text: str) -> None:
        assert self.layout.error_id is not None
        self.send(self.layout.error_id, request.sequence, struct.pack(">IH", request.id, code) + text.encode())

    def go_away(self) -> None:
        assert self.layout.go_away_id is not None
        self.send(self.layout.go_away_id, 0)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


class ScriptedServer:
    def __init__(self, listener: socket.socket, layout: Layout) -> None:
        self.layout = layout
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.peers: list[Peer] = []
        self._listener = listener
        listener.settimeout(PATIENCE)

    def accept(self) -> Peer:
        """The next client that connects."""
        peer = Peer(self._listener.accept()[0], self.layout)
        self.peers.append(peer)
        return peer

    def nobody_comes(self, seconds: float) -> bool:
        """Whether no client connects for so long."""
        self._listener.settimeout(seconds)
        try:
            self._listener.accept()[0].close()
        except TimeoutError:
            return True
        else:
            return False
        finally:
            self._listener.settimeout(PATIENCE)

    def somebody_waits(self, seconds: float) -> bool:
        """Whether a client connects within so long; it is still to be accepted."""
        return bool(select.select([self._listener], [], [], seconds)[0])

    def stop_listening(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def scripted_server(layout: Layout = PRESETS["standard"]) -> Iterator[ScriptedServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ScriptedServer(listener, layout)
        try:
            yield server
        finally:
            for peer in server.peers:
                peer.close()
