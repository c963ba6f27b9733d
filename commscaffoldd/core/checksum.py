"""The CRC-32 of bodies: zlib's, or isal's where it is installed, which gives the same and is faster.

Measured on one machine: 64 bytes 190 ns against 106 ns, 4 KiB 1.4 µs against 0.12 µs, 32 KiB 9.9 µs against 0.66 µs.
The native engine has its own, `native/crc32.h`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def _choose() -> Callable[[bytes], int]:
    # Inside of a function: which of the two it is, is decided once.
    try:
        from isal.isal_zlib import crc32 as faster  # noqa: PLC0415
    except ImportError:
        from zlib import crc32  # noqa: PLC0415

        return crc32
    return faster  # type: ignore[no-any-return,unused-ignore]


crc32: Final = _choose()
