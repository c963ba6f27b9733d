"""Message bodies on the command line, and on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_WIDTH: Final = 16


def read_body(text: str) -> bytes:
    """`-` is standard input, `@file` that file's content, anything else itself.

    Raises OSError if the file cannot be read.
    """
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        return Path(text[1:]).read_bytes()
    return os.fsencode(text)  # the bytes that were typed, also where they are not UTF-8


def hex_dump(data: bytes) -> str:
    """Lines of offset, sixteen bytes and their ASCII, each line ended; nothing for no bytes."""
    return "".join(f"{line}\n" for line in _dump_lines(data))


def _dump_lines(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), _WIDTH):
        part = data[start : start + _WIDTH]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)  # noqa: PLR2004  # ASCII
        yield f"{start:08x}  {part.hex(' '):<{_WIDTH * 3}} |{shown}|"
