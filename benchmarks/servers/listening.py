"""Where the servers listen, and how they tell."""

from __future__ import annotations

from typing import Final

HOST: Final = "127.0.0.1"
BACKLOG: Final = 4096


def announce(port: int) -> None:
    """Print the port, for whoever has started this server; it accepts from now on."""
    print("listening", port, flush=True)
