"""The process's name in ps and top, if setproctitle is installed."""

from __future__ import annotations

import os


def set_title(role: str) -> None:
    """Show this process as "commscaffoldd: role"."""
    # Read by setproctitle when it is imported: without it the environment is overwritten, and with it
    # what /proc/PID/environ tells others.
    os.environ.setdefault("SPT_NOENV", "1")
    try:
        import setproctitle  # noqa: PLC0415  # an extra; and only after SPT_NOENV is set
    except ImportError:
        return
    setproctitle.setproctitle(f"commscaffoldd: {role}")
