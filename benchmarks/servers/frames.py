"""The `standard` header layout, as all servers written in Python here have it."""

from __future__ import annotations

from struct import Struct
from typing import Final

HEADER: Final = Struct(">IIII")  # length of the body, message ID, sequence, crc32 of the body
HEADER_SIZE: Final = HEADER.size
MAX_BODY: Final = 1048576
"""A longer body is refused before it is read, as a server that faces the world has to."""
