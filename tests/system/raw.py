"""A client that is not bound to any protocol: bytes in, bytes out."""

from __future__ import annotations

import socket
import struct
import zlib
from types import TracebackType
from typing import Final, Self

from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS

RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Raw:
    """A TCP connection; a context manager."""

    def __init__(self, address: str, receive_buffer: int = 0) -> None:
        parsed = Address.parse(address)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect((parsed.host, parsed.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def name(self) -> str:
        """As the daemon names its peer."""
        return "{}:{}".format(*self.socket.getsockname()[:2])

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def receive_exactly(self, size: int) -> bytes:
        """So many bytes; fewer if the daemon closes before."""
        data = b""
        while len(data) < size and (part := self.socket.recv(size - len(data))):
            data += part
        return data

    def receive_all(self) -> bytes:
        """What comes until the daemon closes; a reset is an end, too."""
        data = b""
        try:
            while part := self.socket.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        return data

    def reset(self) -> None:
        """Vanish."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


def frame(message_id: int, body: bytes = b"", sequence: int = 1) -> bytes:
    """A frame of layout standard."""
    return PRESETS["standard"].encode(message_id, sequence, body)


def header(length: int, message_id: int = 1, sequence: int = 1, checksum: int = 0) -> bytes:
    """A header of layout standard, true or not."""
    return struct.pack(">IIII", length, message_id, sequence, checksum)


def error_reply(message_id: int, sequence: int, code: int, text: str) -> bytes:
    """An error reply of layout standard."""
    body = struct.pack(">IH", message_id, code) + text.encode()
    return header(len(body), 0xFFFFFFFF, sequence, zlib.crc32(body)) + body
