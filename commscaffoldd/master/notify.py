"""Telling systemd, sd_notify(3): a datagram of lines to the socket named by the environment."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import MutableMapping, Sequence
from typing import Final

from commscaffoldd.core.descriptors import MOST_IN_A_MESSAGE

LOG = logging.getLogger(__name__)

VARIABLE: Final = "NOTIFY_SOCKET"


class Notifier:
    """Sends to systemd, or nowhere if nobody asked for it. What goes wrong is logged at debug level, never raised.

    Attributes:
        active: whether somebody asked for it.
    """

    def __init__(self, address: str) -> None:
        # "@" stands for the NUL byte of the abstract namespace; other forms (vsock) are not for us
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.active = address.startswith(("/", "@"))

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Notifier:
        """Take the address out of the environment: workers and what plugins start must not speak for the master."""
        return cls(environment.pop(VARIABLE, ""))

    def environment(self) -> dict[str, str]:
        """The variable by which another process finds the same service manager."""
        if not self.active:
            return {}
        return {VARIABLE: "@" + self._address[1:] if self._address.startswith("\0") else self._address}

    def main_pid(self, pid: int) -> None:
        """Another process is the main one from now on: only it is listened to."""
        self._send(f"MAINPID={pid}")

    def ready(self, status: str) -> None:
        """The daemon serves; also after a reload, whether or not it went well."""
        self._send("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def status(self, status: str) -> None:
        """One line about what the daemon does."""
        self._send(f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """A reload begins; `ready` ends it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """The daemon has begun to stop."""
        self._send("STOPPING=1", f"STATUS={status}")

    def watchdog(self) -> None:
        """All is well, and will be said again."""
        self._send("WATCHDOG=1")

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """Have the service manager keep these descriptors under this name; whether it was told all of it.

        It is not to watch them (FDPOLL=0): a listening socket has nothing to say to it.
        """
        parts = [fds[index : index + MOST_IN_A_MESSAGE] for index in range(0, len(fds), MOST_IN_A_MESSAGE)]
        return all(self._send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", fds=part) for part in parts)

    def forget(self, name: str) -> None:
        """Have the service manager close all that it keeps under this name."""
        self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def _send(self, *lines: str, fds: Sequence[int] = ()) -> bool:
        if not self.active:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that is busy must not hold up the master
                sender.connect(self._address)
                text = "\n".join(line.replace("\n", " ") for line in lines)
                socket.send_fds(sender, [text.encode()], fds)
        except OSError as error:
            LOG.debug(f"systemd was not told: {error}")
            return False
        return True
