"""A control socket without a daemon behind it: gives the lines that a test says."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def control_server(folder: pathlib.Path, *lines: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Answers each command with these lines, then closes. Yields the list of the commands that came."""
    commands: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "run" / "control.sock"))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, lines, commands), daemon=True)
        thread.start()
        yield commands
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join(10)
        assert not thread.is_alive()


def _serve(listener: socket.socket, lines: tuple[dict[str, Any], ...], commands: list[dict[str, Any]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection = listener.accept()[0]
            with connection, connection.makefile("rwb") as stream:
                commands.append(json.loads(stream.readline()))
                stream.writelines(json.dumps(line).encode() + b"\n" for line in lines)
