"""TLS as a filter: bytes of the conversation on one side, bytes of the socket on the other.

The ssl module's sockets cannot be read by one thread while another one writes; so the socket stays a plain one.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import Final

_RECORD: Final = 65536


class TlsFilter:
    """One connection's TLS. Any thread."""

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._lock = threading.Lock()

    def shake_hands(self, connected: socket.socket, deadline: float) -> None:
        """Agree with the peer, before this time (`time.monotonic`). Leaves the socket's timeout at what was left.

        Raises OSError: TimeoutError if the time is over; ssl.SSLError, or ssl.SSLCertVerificationError, which is one,
        if they cannot agree.
        """
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the TLS handshake took too long")
            connected.settimeout(left)
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                connected.sendall(self._outgoing.read())
                data = connected.recv(_RECORD)
                if not data:
                    raise ConnectionResetError("the connection ended during the TLS handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                connected.sendall(self._outgoing.read())  # the alert tells the peer why
                raise
            else:
                connected.sendall(self._outgoing.read())
                return

    def encrypt(self, data: bytes) -> bytes:
        """What is to be sent for this; it must be sent before what the next call gives."""
        with self._lock:
            self._tls.write(data)
            return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes | None:
        """What has come in these bytes, perhaps nothing yet; `None`: the peer has ended its stream.

        Raises ssl.SSLError: it cannot be.
        """
        with self._lock:
            self._incoming.write(data)
            parts = []
            try:
                while part := self._tls.read(_RECORD):
                    parts.append(part)
            except ssl.SSLWantReadError:
                return b"".join(parts)
            except ssl.SSLZeroReturnError:
                pass
            return b"".join(parts) or None
