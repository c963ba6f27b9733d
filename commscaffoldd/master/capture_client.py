"""The client's side of a capture: the control connection, and the streams that come by it, one for each worker."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from commscaffoldd.master.control_client import ControlTimeout, NotRunning, connected, send_command

_CHUNK: Final = 65536
_FDS: Final = 16  # that one read may bring; the master sends one with a line


class CaptureLink:
    """A connection to the master that captures. The capture ends when it is closed.

    Attributes:
        ended: the master has closed it: the daemon stops, or is replaced.
        arrived: streams of workers that have joined, to be taken by whoever reads them.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = bytearray()
        self._fds: list[int] = []
        self.ended = False
        self.arrived: list[socket.socket] = []

    def fileno(self) -> int:
        """The descriptor, to be polled."""
        return self._connection.fileno()

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once: streams go to `arrived`, other lines are given. Raises TimeoutError."""
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, _CHUNK, _FDS)
        except TimeoutError:
            raise
        except OSError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)  # recv_fds has no way to ask for it
        self._fds += fds
        if not data:
            self.ended = True
            return
        self._data += data
        while (end := self._data.find(b"\n")) >= 0:
            message = msgspec.json.decode(self._data[:end], type=dict[str, Any])
            del self._data[: end + 1]
            if message.get("descriptor") and self._fds:
                self.arrived.append(socket.socket(fileno=self._fds.pop(0)))
            else:
                yield message

    def close(self) -> None:
        """Close what nobody has taken."""
        for one in self.arrived:
            one.close()
        for fd in self._fds:
            os.close(fd)


@contextlib.contextmanager
def capture(path: Path, wanted: Mapping[str, Any], timeout: float) -> Iterator[tuple[CaptureLink, dict[str, Any]]]:
    """Begin a capture; gives the link and the master's answer, which may say no.

    Args:
        path: the control socket.
        wanted: the filter.
        timeout: the longest silence before the answer, in seconds.

    Raises:
        NotRunning, NotPermitted, ControlTimeout: as `control_client.request`.
    """
    with connected(path, timeout) as connection:
        send_command(connection, path, {"command": "capture", "filter": wanted}, timeout)
        link = CaptureLink(connection)
        try:
            yield link, _answer(link, path, timeout)
        finally:
            link.close()


def _answer(link: CaptureLink, path: Path, timeout: float) -> dict[str, Any]:
    while not link.ended:
        try:
            for message in link.receive():
                if "ok" in message:
                    return message
        except TimeoutError:
            raise ControlTimeout(path, timeout) from None
    raise NotRunning(path)
