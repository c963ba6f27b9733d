"""gevent's `StreamServer`: a greenlet for each client, plain `recv` and `sendall`."""

from __future__ import annotations

import socket

from gevent.server import StreamServer

from benchmarks.servers.connection import Connection
from benchmarks.servers.listening import BACKLOG, HOST, announce

READ_SIZE = 65536


def converse(client: socket.socket, _address: tuple[str, int]) -> None:
    """Answer one client until it ends, or sends something wrong. gevent closes the socket then."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection()
    connection.write = client.sendall
    connection.write_parts = lambda parts: client.sendall(b"".join(parts))
    connection.abort = client.close
    connection.rest = b""
    try:
        while data := client.recv(READ_SIZE):
            connection.receive(data)
    except OSError:
        return


def serve() -> None:
    """Serve until the process ends."""
    server = StreamServer((HOST, 0), converse, backlog=BACKLOG)
    server.start()
    announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    serve()
