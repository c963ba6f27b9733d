"""Captures to read, for tests."""

from __future__ import annotations

from pathlib import Path

from commscaffoldd.capture.records import Closed, End, Header, Joined, Known, Received, Record, Sent, Spoken
from commscaffoldd.capture.writer import CaptureWriter
from commscaffoldd.core.layout import PRESETS

LISTEN = "127.0.0.1:9000"
HEADER = Header(
    daemon="0.1.0",
    started=1_795_000_000.0,
    clock=1_000_000_000,
    spoken=(Spoken(LISTEN, "standard", PRESETS["standard"].spec, 1, PRESETS["standard"].error_id),),
)
ECHO: tuple[Record, ...] = (
    Joined(1_000_000_000, 1, 4711),
    Known(1_000_000_100, "1.0.0", "127.0.0.1:40000", LISTEN, "standard", opened=True),
    Received(1_000_000_200, "1.0.0", 1, 7, b"hello"),
    Sent(1_000_000_300, "1.0.0", 1, 7, b"hello"),
    Closed(1_000_000_400, "1.0.0", "peer closed"),
    End(1_000_000_500, "interrupted", 2, 0),
)
"""One connection, one message, its reply."""


def write_capture(path: Path, *records: Record, header: Header = HEADER) -> Path:
    """A capture with these records."""
    with CaptureWriter(path, header) as writer:
        for record in records or ECHO:
            writer.append(record)
    return path
