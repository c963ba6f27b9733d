"""What two workers say to each other during a handover: messages over a unix stream socket, some with a descriptor.

Each message is a u32 length and MessagePack; a descriptor travels with the first byte of its message (unix(7),
SCM_RIGHTS: one recvmsg never returns the descriptors of two sendmsg calls). Nothing here blocks; all of it belongs to
the reactor's thread.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections import deque
from typing import Final, TypeAlias

import msgspec

from commscaffoldd.core.framing import Frame
from commscaffoldd.core.moving import ConnectionState

_LENGTH: Final = struct.Struct(">I")
_READ: Final = 65536  # bytes
_FDS: Final = 64  # descriptors that one read may bring
_FD_SIZE: Final = array.array("i").itemsize


class Moving(msgspec.Struct, tag=True):
    """A connection, to be taken or refused; its descriptor comes along.

    Attributes:
        serial: by which the answer names it.
        listen: the configured address that it came in by.
        layout: what its client speaks, as `describe_layout` says it.
        state: all else.
    """

    serial: int
    listen: str
    layout: str
    state: ConnectionState


class Taken(msgspec.Struct, tag=True):
    """The connection with this serial is the receiver's now."""

    serial: int


class Refused(msgspec.Struct, tag=True):
    """The connection with this serial stays with the sender, for this reason."""

    serial: int
    reason: str


class Late(msgspec.Struct, tag=True):
    """What was queued at the sender after the state had been taken; `close` is a wish to close it, or empty."""

    serial: int
    replies: list[Frame]
    close: str


Parcel: TypeAlias = Moving | Taken | Refused | Late

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parcel).decode


class BrokenStreamError(Exception):
    """The other side cannot be understood any more; str() says why. The stream is of no use."""


class ParcelStream:
    """One end of the socket pair.

    Attributes:
        ended: the other side has closed its end, or died: nothing more comes.
        deaf: the other side takes nothing any more.
        sent: bytes that have gone.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Owns the socket from now on."""
        sock.setblocking(False)
        self._socket = sock
        self._outgoing: deque[tuple[memoryview, int | None]] = deque()
        self._incoming = bytearray()
        self._fds: deque[int | None] = deque()
        self.ended = False
        self.deaf = False
        self.sent = 0

    def fileno(self) -> int:
        """The descriptor, to be watched."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """Parcels that the other side has not taken yet."""
        return len(self._outgoing)

    def send(self, parcel: Parcel, fd: int | None = None) -> None:
        """Send it, now or by `flush`. The descriptor stays the caller's; it must stay open until it has been sent."""
        data = _encode(parcel)
        self._outgoing.append((memoryview(_LENGTH.pack(len(data)) + data), fd))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the other side takes it; forget it if it takes nothing any more."""
        while self._outgoing:
            data, fd = self._outgoing[0]
            try:
                sent = self._send(data, fd)
            except BlockingIOError:
                return
            except OSError:
                self._outgoing.clear()
                self.deaf = True  # what it has said before may still be there to be read
                return
            self.sent += sent
            if sent == len(data):
                self._outgoing.popleft()
            else:  # the descriptor has gone with the first byte
                self._outgoing[0] = (data[sent:], None)

    def answer(self, parcel: Taken | Refused) -> bool:
        """Send it now, or never; give whether the other side has it, and will see it.

        What it has been given before it died, or has called back, is not its any more.
        """
        data = _encode(parcel)
        try:  # so small that it is taken as a whole
            return self._socket.send(_LENGTH.pack(len(data)) + data, socket.MSG_NOSIGNAL) > 0
        except OSError:
            return False

    def recall(self) -> None:
        """Have each answer from now on fail; those before can still be received, and there are no others.

        The kernel decides, in one step (shutdown(2), SHUT_RD): what was not answered then will never be taken.
        """
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def receive(self) -> list[tuple[Parcel, int | None]]:
        """What has come; the descriptors are the caller's. `None`: there is none, or no room for it here.

        Raises:
            BrokenStreamError: something cannot be read.
        """
        while self._read():
            pass
        parcels: list[Parcel] = []
        while (parcel := self._next()) is not None:
            parcels.append(parcel)  # their descriptors stay ours until all have been read
        return [
            (parcel, self._fds.popleft() if isinstance(parcel, Moving) and self._fds else None) for parcel in parcels
        ]

    def close(self) -> None:
        """Close our end, and descriptors that nobody has taken."""
        self._socket.close()
        while self._fds:
            close_quietly(self._fds.popleft())

    def _send(self, data: memoryview, fd: int | None) -> int:
        if fd is None:
            return self._socket.send(data, socket.MSG_NOSIGNAL)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        return self._socket.sendmsg([data], [rights], socket.MSG_NOSIGNAL)

    def _read(self) -> bool:
        """Read once; give whether there may be more."""
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                _READ, socket.CMSG_SPACE(_FDS * _FD_SIZE), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        except OSError:
            self.ended = True
            return False
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) // _FD_SIZE * _FD_SIZE])
                self._fds.extend(numbers)
        if flags & socket.MSG_CTRUNC:  # recvmsg(2): this process has no room for a descriptor, and so it came to none
            self._fds.append(None)
        self._incoming += data
        self.ended = not data
        return bool(data)

    def _next(self) -> Parcel | None:
        if len(self._incoming) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._incoming)
        end = _LENGTH.size + length
        if len(self._incoming) < end:
            return None
        data = bytes(self._incoming[_LENGTH.size : end])
        del self._incoming[:end]
        try:
            parcel: Parcel = _decode(data)
        except msgspec.MsgspecError as error:
            raise BrokenStreamError(f"a message cannot be read: {error}") from error
        return parcel


def close_quietly(fd: int | None) -> None:
    """Close the descriptor that came with a parcel, if one did."""
    if fd is not None:
        with contextlib.suppress(OSError):
            os.close(fd)
