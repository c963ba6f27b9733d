"""A server for tests of clients: each connection has a thread; it answers as a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from commscaffoldd.client import Frame
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import PRESETS, Layout

Answer = Callable[[Frame], bytes | None]


class FrameServer:
    """What it received is in `received`; its address in `address`."""

    def __init__(self, listener: socket.socket, layout: Layout, answer: Answer) -> None:
        self.received: list[Frame] = []
        self._listener = listener
        self._layout = layout
        self._answer = answer
        name = listener.getsockname()
        self.address = f"unix:{name}" if isinstance(name, str) else f"127.0.0.1:{name[1]}"

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down: the test is over
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader(self._layout, 1 << 23)
        with connection, contextlib.suppress(OSError):  # the client has gone
            while data := connection.recv(65536):
                for found in reader.feed(data)[0]:
                    frame = Frame(*found)
                    self.received.append(frame)
                    reply = self._answer(frame)
                    if reply is None:
                        return
                    connection.sendall(reply)


@contextlib.contextmanager
def frame_server(answer: Answer, layout: Layout = PRESETS["standard"], path: str = "") -> Iterator[FrameServer]:
    """A running server. `answer` gives the bytes to send for a frame; `None` closes the connection."""
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    with listener:
        listener.bind(path or ("127.0.0.1", 0))
        listener.listen()
        server = FrameServer(listener, layout, answer)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join(10)
        assert not thread.is_alive()
