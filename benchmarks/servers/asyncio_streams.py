"""asyncio's streams, as its documentation has them: a coroutine for each client, `readexactly`, `write`, `drain`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from zlib import crc32

from benchmarks.servers.frames import HEADER, HEADER_SIZE, MAX_BODY
from benchmarks.servers.handlers import HANDLERS, Request
from benchmarks.servers.listening import BACKLOG, HOST, announce


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one client until it ends, or sends something wrong."""
    client: socket.socket = writer.get_extra_info("socket")
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            length, message_id, sequence, crc = HEADER.unpack(await reader.readexactly(HEADER_SIZE))
            if length > MAX_BODY:
                break
            body = await reader.readexactly(length)
            handler = HANDLERS.get(message_id)
            if handler is None or crc32(body) != crc:
                break
            reply = handler(Request(writer, message_id, sequence, body))
            writer.write(HEADER.pack(len(reply), message_id, sequence, crc32(reply)) + reply)
            await writer.drain()
    writer.close()


async def serve() -> None:
    """Serve until the process ends."""
    server = await asyncio.start_server(converse, HOST, 0, backlog=BACKLOG)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
