"""What systemd does for a service, done by the test: hears its notifications, and keeps its descriptors for it."""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.system.daemon import PROGRAM

AS_SERVICE: Final = (sys.executable, "-P", str(Path(__file__).with_name("as_service.py")))
WITHIN: Final = 20.0

Message = dict[str, str]


class ServiceManager:
    """A notification socket, and a file descriptor store that outlives the service, as in sd_notify(3).

    Attributes:
        address: for NOTIFY_SOCKET.
        store: what the service has handed over, by name.
        heard: all that it has said.
    """

    def __init__(self, address: Path) -> None:
        self.address = str(address)
        self.store: dict[str, list[int]] = {}
        self.heard: list[Message] = []
        self._unheard: list[Message] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def close(self) -> None:
        for name in list(self.store):
            self._remove(name)
        self._socket.close()

    def hear(self) -> list[Message]:
        """All that has been said since the last time."""
        self._receive()
        new, self._unheard = self._unheard, []
        return new

    def wait(self, wanted: Callable[[Message], bool], within: float = WITHIN) -> Message:
        """The next message that is wanted; what comes before it is passed over."""
        deadline = time.monotonic() + within
        while True:
            self._receive()
            while self._unheard:
                if wanted(message := self._unheard.pop(0)):
                    return message
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain; heard: {self.heard}"
            select.select([self._socket], [], [], left)

    def wait_for(self, assignment: str, within: float = WITHIN) -> Message:
        """The next message with this line."""
        name, _, value = assignment.partition("=")
        return self.wait(lambda message: message.get(name) == value, within)

    def launcher(self, **more: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """A command line that starts the daemon with all that is stored, and the descriptors it needs for that.

        `more`: descriptors of socket units, by name; they come first.
        """
        named = [(fd, name) for name, fd in more.items()]
        named += [(fd, name) for name, fds in self.store.items() for fd in fds]
        words = [f"{fd}:{name}" for fd, name in named]
        return (*AS_SERVICE, *words, "--", *PROGRAM), tuple(fd for fd, _ in named)

    def _receive(self) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._socket, 4096, 253)
            except BlockingIOError:
                return
            message = dict(line.split("=", 1) for line in data.decode().splitlines())
            self._obey(message, fds)
            self.heard.append(message)
            self._unheard.append(message)

    def _obey(self, message: Message, fds: list[int]) -> None:
        name = message.get("FDNAME", "stored")
        if message.get("FDSTORE") == "1":
            self.store.setdefault(name, []).extend(fds)
            return
        for fd in fds:
            os.close(fd)
        if message.get("FDSTOREREMOVE") == "1":
            self._remove(name)

    def _remove(self, name: str) -> None:
        for fd in self.store.pop(name, []):
            os.close(fd)
