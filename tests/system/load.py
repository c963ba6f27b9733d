"""Clients that send all the time, and check every reply: for tests of what must not disturb them."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import zlib
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from tests.system.waiting import wait_until

_HEADER: Final = struct.Struct(">IIII")  # length, id, sequence, crc32: layout standard
GO_AWAY: Final = (1 << 32) - 2


class Talker:
    """One connection with messages in flight. Each reply must be the next of what was sent, byte for byte.

    Attributes:
        name: the local address, which is how the daemon calls its peer.
        received: replies that were right.
        error: what was wrong; empty if nothing.
        ended: whether the daemon has closed the connection.
        told: whether it said *go away* before.
    """

    def __init__(self, address: tuple[str, int], message_id: int, pad: int) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.name = "{}:{}".format(*self.socket.getsockname()[:2])
        self.sent = self.received = 0
        self.error = ""
        self.ended = self.told = False
        self._id = message_id
        self._pad = pad
        self._buffer = b""

    def send(self, messages: int) -> None:
        """Send so many more."""
        frames = [self._frame(number) for number in range(self.sent + 1, self.sent + messages + 1)]
        self.sent += messages
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:  # reading says how it ended
            return

    def read(self) -> int:
        """Take what has come; gives the number of replies."""
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            self.error = self.error or f"reset: {error}"
            self.ended = True  # last, because another thread waits for it
            return 0
        if not data:
            self.ended = True
            return 0
        self._buffer += data
        count = 0
        while not self.error and len(self._buffer) >= _HEADER.size:
            size = _HEADER.size + int.from_bytes(self._buffer[:4])
            if len(self._buffer) < size:
                break
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            count += self._take(frame)
        return count

    @property
    def waiting(self) -> int:
        """Messages sent whose replies have not come."""
        return self.sent - self.received

    def _take(self, frame: bytes) -> int:
        if int.from_bytes(frame[4:8]) == GO_AWAY:
            self.told = True
            return 0
        if self.told:
            self.error = "a reply came after go away"
        elif frame != self._frame(self.received + 1):
            self.error = f"reply {self.received + 1} is not what was sent: {frame[:64]!r}"
        else:
            self.received += 1
        return 1

    def _frame(self, number: int) -> bytes:
        body = (b"%s %d " % (self.name.encode(), number)).ljust(self._pad, b".")
        return _HEADER.pack(len(body), self._id, number, zlib.crc32(body)) + body


class Load:
    """Talkers in a thread of their own; a context manager."""

    def __init__(self, address: str, talkers: int, in_flight: int = 4, message_id: int = 1, pad: int = 64) -> None:
        host, _, port = address.rpartition(":")
        self.talkers = [Talker((host, int(port)), message_id, pad) for _ in range(talkers)]
        self._in_flight = in_flight
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        for talker in self.talkers:
            talker.socket.close()

    def finish(self) -> None:
        """Send no more, and wait for the replies that are under way."""
        self._stopping.set()
        self._thread.join()

    def flows(self, names: Iterable[str] | None = None) -> None:
        """Wait until each of these talkers (all that live) has got some replies from now on."""
        talkers = [one for one in self.talkers if not one.ended and (names is None or one.name in set(names))]
        before = {one: one.received for one in talkers}
        wait_until(
            lambda: all(one.ended or one.error or one.received > before[one] + 5 for one in talkers), what="replies"
        )

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for talker in self.talkers:
                selector.register(talker.socket, selectors.EVENT_READ, talker)
                talker.send(self._in_flight)
            quiet = 0
            while selector.get_map() and quiet < 100:
                events = selector.select(0.1)
                quiet = 0 if events else quiet + 1
                for key, _ in events:
                    talker = key.data
                    replies = talker.read()
                    if talker.ended or talker.error:
                        selector.unregister(talker.socket)
                    elif not self._stopping.is_set():
                        talker.send(replies)
                    elif not talker.waiting:
                        selector.unregister(talker.socket)
