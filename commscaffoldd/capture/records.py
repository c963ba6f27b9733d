"""The records of a capture, and their encoding: a length, and a MessagePack array that begins with the record's name.

All times but `Header.started` are nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share; with
`Header.clock` they become times of day. New fields are only ever appended: readers ignore what they do not know.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.core.layout import Layout, LayoutSpec

MAGIC: Final = b"CSCAP\r\n\x1a"
"""What a capture begins with: text tools, and transfers that change line ends, are noticed."""
VERSION: Final = 1
START: Final = struct.Struct(">8sH")
"""Magic and version, at the file's very beginning."""
LENGTH: Final = struct.Struct(">I")
"""Stands before each record: how many bytes it has."""
MAX_RECORD: Final = (1 << 30) + (1 << 16)
"""Bytes: the largest body that can be configured, and what stands around it."""


class Spoken(Struct, frozen=True, array_like=True):
    """What is spoken at a listener.

    Attributes:
        listen: the configured address.
        layout: the layout's name.
        spec: what it is made of.
        default_id: the message ID of what comes in, where the layout has none.
        error_id: the message ID of the daemon's error replies; `None` where it sends none.
    """

    listen: str
    layout: str
    spec: LayoutSpec
    default_id: int
    error_id: int | None = None

    def to_layout(self) -> Layout:
        """The layout. Raises LayoutError if it cannot be."""
        return Layout.from_spec(self.layout, self.spec)


class Header(Struct, frozen=True, array_like=True, tag="header"):
    """The first record: what this is a capture of.

    Attributes:
        daemon: its version.
        started: when the capture began, in seconds since the epoch.
        clock: the same moment, by the clock of the other records.
        spoken: what is spoken at the listeners.
        filter: what is in it.
    """

    daemon: str
    started: float
    clock: int
    spoken: tuple[Spoken, ...] = ()
    filter: CaptureFilter = CaptureFilter()


class Joined(Struct, frozen=True, array_like=True, tag="joined"):
    """From now on a worker's messages are recorded.

    Attributes:
        worker: its number.
        pid: its process ID.
    """

    time: int
    worker: int
    pid: int


class Known(Struct, frozen=True, array_like=True, tag="connection"):
    """A connection of which records follow. Again, if another worker goes on with it.

    Attributes:
        connection: its ID.
        peer: its peer's address.
        listen: the configured address that it came in by.
        layout: the name of the layout that it speaks.
        opened: whether this is when it was opened; else it was there already.
    """

    time: int
    connection: str
    peer: str
    listen: str
    layout: str
    opened: bool


class Received(Struct, frozen=True, array_like=True, tag="in"):
    """A message that a client has sent.

    Attributes:
        connection: the connection's ID.
        id: the message ID.
        sequence: the sequence number; 0 where the layout has none.
        body: the body.
    """

    time: int
    connection: str
    id: int
    sequence: int
    body: bytes


class Sent(Struct, frozen=True, array_like=True, tag="out"):
    """A message, a reply or a push, that was put on its way to a client. Attributes as those of `Received`."""

    time: int
    connection: str
    id: int
    sequence: int
    body: bytes


class Closed(Struct, frozen=True, array_like=True, tag="closed"):
    """A connection has ended, for this reason."""

    time: int
    connection: str
    reason: str


class Lost(Struct, frozen=True, array_like=True, tag="lost"):
    """So many records of a worker are missing here: it had more than the capture could take."""

    time: int
    worker: int
    count: int


class End(Struct, frozen=True, array_like=True, tag="end"):
    """The last record of a capture that was not interrupted.

    Attributes:
        reason: why it ended.
        messages: how many are in it.
        lost: how many records are not.
    """

    time: int
    reason: str
    messages: int
    lost: int


Message: TypeAlias = Received | Sent
Record: TypeAlias = Header | Joined | Known | Received | Sent | Closed | Lost | End

_encoder = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


def append_record(buffer: bytearray, record: Record) -> None:
    """Encode a record, its length before it, to the buffer's end."""
    at = len(buffer)
    _encoder.encode_into(record, buffer, at + LENGTH.size)
    LENGTH.pack_into(buffer, at, len(buffer) - at - LENGTH.size)


def decode_record(data: bytes | memoryview) -> Record:
    """The record in these bytes, its length taken off. Raises msgspec.DecodeError or ValidationError."""
    record: Record = _decoder.decode(data)
    return record
