"""A connected socket of the blocking client: one thread receives while others send, with TLS or without."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import Final

from commscaffoldd.client.connecting import connect
from commscaffoldd.client.settings import Settings
from commscaffoldd.client.tls import TlsFilter

_RECEIVE_BYTES: Final = 65536
_SEND_STEP: Final = 0.05  # seconds between looks at the clock while the peer takes nothing


class PartlySent(Exception):  # noqa: N818  # it says how far it came
    """The time was over with some of it sent: what is sent next would not be understood."""


class Channel:
    """See the module's text. `send` for one thread at a time, `receive` for another, `shut` for any."""

    def __init__(self, connected: socket.socket, tls: TlsFilter | None, patience: float) -> None:
        """Takes the socket over.

        Args:
            connected: the socket.
            tls: its TLS, agreed upon.
            patience: seconds that `receive` waits for something to come.
        """
        # The kernel's own timeouts, since those of a Python socket are the same for both directions.
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(_SEND_STEP))
        self._socket = connected
        self._closing = threading.RLock()  # `shut` must not meet the descriptor's number in another's hands
        self._tls = tls
        self._early = tls.decrypt(b"") if tls is not None else b""  # came along with the handshake

    @classmethod
    def open(cls, settings: Settings, context: ssl.SSLContext | None, patience: float) -> Channel:
        """Connect. Raises OSError (TimeoutError, ConnectionRefusedError, ssl.SSLError, ...)."""
        seconds = settings.seconds_to_connect
        try:
            deadline = time.monotonic() + seconds
            connected = connect(settings.address, seconds)
            try:
                tls = None if context is None else TlsFilter(context, settings.peer_name)
                if tls is not None:
                    tls.shake_hands(connected, deadline)
                return cls(connected, tls, patience)
            except BaseException:
                connected.close()
                raise
        except TimeoutError:
            raise TimeoutError(f"{settings.address}: not connected within {seconds:g} seconds") from None

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it, before this time (`time.monotonic`).

        Raises:
            TimeoutError: nothing of it was sent.
            PartlySent: some of it was.
            OSError: the connection has ended.
        """
        if self._tls is not None:
            data = self._tls.encrypt(data)
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._send_rest(data, sent, deadline)

    def receive(self) -> bytes | None:
        """What has come; nothing if nothing has for a while, `None` at the stream's end. Raises OSError."""
        if self._early != b"":
            early, self._early = self._early, b""
            return early
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            return None
        return data if self._tls is None else self._tls.decrypt(data)

    def shut(self) -> None:
        """End both directions: `receive` returns, `send` fails."""
        with self._closing, contextlib.suppress(OSError):  # the peer was faster
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back; by the thread that receives, when it has ended."""
        with self._closing:
            self._socket.close()

    def _send_rest(self, data: bytes, sent: int, deadline: float) -> None:
        view = memoryview(data)
        while sent < len(view):
            if time.monotonic() >= deadline:
                if sent or self._tls is not None:  # a TLS record that is not sent cannot be left out
                    raise PartlySent
                raise TimeoutError
            with contextlib.suppress(BlockingIOError):
                sent += self._socket.send(view[sent:])


def _timeval(seconds: float) -> bytes:
    """A `struct timeval`; nothing is "for ever", so it is at least a microsecond."""
    whole = int(seconds)
    return struct.pack("@ll", whole, max(int((seconds - whole) * 1e6), 0 if whole else 1))
