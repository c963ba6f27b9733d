"""A Twisted `Protocol` on its epoll reactor."""

from __future__ import annotations

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402  # the reactor is chosen by what is installed before this
from twisted.internet.protocol import Factory, Protocol  # noqa: E402

from benchmarks.servers.connection import Connection  # noqa: E402
from benchmarks.servers.listening import BACKLOG, HOST, announce  # noqa: E402


class Server(Connection, Protocol):
    """One connection."""

    dataReceived = Connection.receive  # noqa: N815  # Twisted's name

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        """A client has connected."""
        self.transport.setTcpNoDelay(True)
        self.write = self.transport.write
        self.write_parts = self.transport.writeSequence
        self.abort = self.transport.abortConnection
        self.rest = b""


def serve() -> None:
    """Serve until the process ends."""
    port = reactor.listenTCP(0, Factory.forProtocol(Server), backlog=BACKLOG, interface=HOST)
    reactor.callWhenRunning(lambda: announce(port.getHost().port))
    reactor.run()


if __name__ == "__main__":
    serve()
