"""Addresses as a person writes them: `host:port`, `[v6]:port`, `unix:/path`, and `systemd:NAME` to listen only."""

from __future__ import annotations

import dataclasses
import socket
from typing import TypeAlias

SocketAddress: TypeAlias = "str | tuple[str, int]"

ALLOWED = "host:port, [IPv6]:port or unix:/path, such as 127.0.0.1:9000"
SYSTEMD = "systemd:"
MAX_SOCKET_NAME = 255  # FDNAME_MAX of systemd
MAX_PORT = 65535
MAX_UNIX_PATH = 107  # sizeof(sockaddr_un.sun_path) - 1, unix(7)


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or to connect: a TCP host and port, or the path of a unix socket."""

    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raises ValueError, with what is allowed, for anything else."""
        if text.startswith("unix:"):
            path = text[len("unix:") :]
            if not path:
                raise ValueError(f"no path in {text!r}; allowed: {ALLOWED}")
            if len(path.encode()) > MAX_UNIX_PATH:
                raise ValueError(f"the path in {text!r} is longer than {MAX_UNIX_PATH} bytes")
            return cls("", 0, path)
        host, colon, port_text = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"an IPv6 address stands in brackets: [{host}]:{port_text}")
        if not colon or not host or not (port_text.isascii() and port_text.isdigit()):
            raise ValueError(f"{text!r} is not an address; allowed: {ALLOWED}")
        port = int(port_text)
        if port > MAX_PORT:
            raise ValueError(f"port {port} in {text!r} is out of range; allowed: 0 to {MAX_PORT}")
        return cls(host, port)

    def __str__(self) -> str:
        """The address as it is written in the configuration."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def resolve(self) -> tuple[socket.AddressFamily, SocketAddress]:
        """The family and the address as the socket module takes it. Raises OSError if the host is unknown."""
        if self.path:
            return socket.AF_UNIX, self.path
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, sockaddr = found[0]
        return family, sockaddr  # type: ignore[return-value]  # IPv6 tuples have four parts


def systemd_name(text: str) -> str | None:
    """The NAME of `systemd:NAME`, a socket that systemd opens and passes; None for any other address.

    Raises ValueError for a name that no socket can have.
    """
    if not text.startswith(SYSTEMD):
        return None
    name = text[len(SYSTEMD) :]
    if not name:
        raise ValueError(f"no name in {text!r}; allowed: systemd:NAME, with a socket unit's FileDescriptorName=")
    if not (name.isascii() and name.isprintable()) or ":" in name or len(name) > MAX_SOCKET_NAME:
        raise ValueError(
            f"the name in {text!r} is none that systemd can pass; "
            f"allowed: up to {MAX_SOCKET_NAME} printable ASCII characters without a colon"
        )
    return name


def describe_bound(sockname: object) -> str:
    """A socket's own address, as getsockname(2) gave it, in the form in which addresses are written here."""
    if isinstance(sockname, bytes):  # the abstract namespace of unix sockets
        return f"unix:@{sockname[1:].decode(errors='replace')}"
    return f"unix:{sockname}" if isinstance(sockname, str) else describe_peer(sockname)


def describe_peer(sockaddr: object) -> str:
    """A peer's address, as accept(2) gave it, in the form in which addresses are written here."""
    if isinstance(sockaddr, tuple) and len(sockaddr) >= 2:  # noqa: PLR2004  # (host, port, ...)
        return str(Address(str(sockaddr[0]), int(sockaddr[1])))
    return "unix:"
