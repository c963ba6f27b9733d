"""What a connection does with bytes, the same for every framework whose servers are called with what has arrived.

The frameworks' own classes take `receive` as it stands for their callback and put their transport's own methods into
its attributes, so sharing it costs no call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

from benchmarks.servers.frames import HEADER, HEADER_SIZE, MAX_BODY
from benchmarks.servers.handlers import HANDLERS, Request

JOINED = 16384
"""Up to so many bytes, copying replies together is cheaper than having the transport send them in parts."""


class Connection:
    """One client.

    Attributes:
        write: the transport's method that sends bytes.
        write_parts: the one that sends a list of bytes; not every transport has one that is quicker than joining.
        abort: ends the connection at once.
        rest: the part of a frame that has arrived.
    """

    __slots__ = ("abort", "rest", "write", "write_parts")

    write: Callable[[bytes], Any]
    write_parts: Callable[[list[bytes]], Any]
    abort: Callable[[], Any]
    rest: bytes

    def receive(self, data: bytes) -> None:
        """Cut, check and answer all frames that have arrived whole; their replies leave together."""
        if self.rest:
            data = self.rest + data
        start = 0
        size = len(data)
        replies = []
        while size - start >= HEADER_SIZE:
            length, message_id, sequence, crc = HEADER.unpack_from(data, start)
            if length > MAX_BODY:
                self.abort()
                return
            body_at = start + HEADER_SIZE
            end = body_at + length
            if end > size:
                break
            body = data[body_at:end]
            handler = HANDLERS.get(message_id)
            if handler is None or crc32(body) != crc:
                self.abort()
                return
            reply = handler(Request(self, message_id, sequence, body))
            replies.append(HEADER.pack(len(reply), message_id, sequence, crc32(reply)))
            replies.append(reply)
            start = end
        self.rest = data[start:]
        if replies:
            if start <= JOINED:
                self.write(b"".join(replies))
            else:
                self.write_parts(replies)
