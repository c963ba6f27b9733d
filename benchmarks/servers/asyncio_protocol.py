"""An `asyncio.Protocol` on asyncio's own event loop.

Written as one writes it when speed counts: everything happens in `data_received`, without a task or a future.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from benchmarks.servers.connection import Connection
from benchmarks.servers.listening import BACKLOG, HOST, announce


class Server(Connection, asyncio.Protocol):
    """One connection."""

    __slots__ = ()

    data_received = Connection.receive

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        transport = cast("asyncio.Transport", transport)
        client: socket.socket = transport.get_extra_info("socket")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.write = transport.write
        self.write_parts = transport.writelines
        self.abort = transport.abort
        self.rest = b""


async def serve() -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(Server, HOST, 0, backlog=BACKLOG)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
