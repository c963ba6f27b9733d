"""The server as an `asyncio.Protocol`, for asyncio's own loop and for uvloop.

Written as one writes it when speed counts: everything happens in `data_received`, without a task or a future; the
replies to all frames of one read leave with one `write`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast
from zlib import crc32

from benchmarks.servers.frames import HEADER, HEADER_SIZE, MAX_BODY
from benchmarks.servers.handlers import HANDLERS, Request

BACKLOG = 4096


class Server(asyncio.Protocol):
    """One connection."""

    __slots__ = ("_rest", "_transport")

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        client: socket.socket = transport.get_extra_info("socket")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Cut, check and answer all frames that have arrived whole; keep what is left for the next read."""
        if self._rest:
            data = self._rest + data
        start = 0
        size = len(data)
        replies = []
        while size - start >= HEADER_SIZE:
            length, message_id, sequence, crc = HEADER.unpack_from(data, start)
            if length > MAX_BODY:
                self._transport.abort()
                return
            end = start + HEADER_SIZE + length
            if end > size:
                break
            body = data[start + HEADER_SIZE : end]
            handler = HANDLERS.get(message_id)
            if crc32(body) != crc or handler is None:
                self._transport.abort()
                return
            reply = handler(Request(self, message_id, sequence, body))
            replies.append(HEADER.pack(len(reply), message_id, sequence, crc32(reply)))
            replies.append(reply)
            start = end
        self._rest = data[start:]
        if replies:
            self._transport.write(b"".join(replies))


async def serve() -> None:
    """Serve on a free port, which is printed, until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=BACKLOG)
    print("listening", server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the runner reads it
    await server.serve_forever()
