"""Binding a unix socket to a path where an earlier one may have been left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Final

_MODE: Final = 0o660


def bind_unix(made: socket.socket, path: Path, mode: int = _MODE) -> None:
    """Bind, with this mode from the first moment on.

    A socket that is there already is removed if nobody answers on it. Raises OSError: EADDRINUSE if somebody does,
    or if the path is something else than a socket.
    """
    remove_stale(path)
    # chmod after bind would leave a moment in which anybody may connect; the master has no other thread
    old = os.umask(0o777 & ~mode)
    try:
        made.bind(str(path))
    finally:
        os.umask(old)


def remove_stale(path: Path) -> None:
    """Remove a socket that nobody answers on. Raises OSError with EADDRINUSE if the path cannot be freed."""
    try:
        is_socket = stat.S_ISSOCK(path.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EEXIST, "the path exists and is not a socket", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            return
        except BlockingIOError:
            pass  # its queue is full: somebody listens
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
