"""JSON objects with descriptors, one a packet: over a sequenced-packet socket, unix(7), to a master or a worker."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from commscaffoldd.core.descriptors import MOST_IN_A_MESSAGE
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import READ, Loop

_PACKET: Final = 1 << 17  # bytes


def send_packet(connected: socket.socket, message: JsonObject, fds: Sequence[int] = ()) -> bool:
    """Send an object with descriptors; `False` if the other side has gone, or does not read."""
    try:
        socket.send_fds(connected, [msgspec.json.encode(message)], fds)
    except OSError:
        return False
    return True


class PacketLink:
    """One end. `received` hears each packet, whose descriptors are its own then; `ended` that the other has gone."""

    def __init__(
        self,
        loop: Loop,
        connected: socket.socket,
        received: Callable[[JsonObject, list[int]], None],
        ended: Callable[[], None],
    ) -> None:
        connected.setblocking(False)
        self._loop = loop
        self._socket = connected
        self._received = received
        self._ended = ended
        loop.watch(connected.fileno(), READ, self._readable)

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: JsonObject, fds: Sequence[int] = ()) -> bool:
        """Send a packet; `False` if the other side has gone, or does not read."""
        return send_packet(self._socket, message, fds)

    def close(self) -> None:
        """Close. May be called twice."""
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()

    def drain(self) -> None:
        """Hear all that has come already."""
        self._readable(READ)

    def _readable(self, _events: int) -> None:
        while self._socket.fileno() >= 0:
            try:
                data, fds, _, _ = socket.recv_fds(self._socket, _PACKET, MOST_IN_A_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if not data:
                self.close()
                self._ended()
                return
            try:
                self._received(msgspec.json.decode(data), fds)
            except BaseException:
                for fd in fds:
                    with contextlib.suppress(OSError):
                        os.close(fd)
                raise
