"""Examples at the end of a command's help."""

from __future__ import annotations

_KEEP_LINES = "\b\n"  # click's mark for a paragraph that is not wrapped


def examples(*commands: str) -> str:
    """An epilog that shows these commands, each on its own line."""
    return "\n  ".join([f"{_KEEP_LINES}Examples:", *commands])
