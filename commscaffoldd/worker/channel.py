"""The channel to the master: a thread that takes its commands, and notices its death.

One JSON object a line each way; the commands stand in `master/`, which sends them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from commscaffoldd.core.service_thread import ServiceThread

logger = logging.getLogger(__name__)

Command: TypeAlias = Mapping[str, Any]


class Channel:
    """Owns the channel thread and the worker's end of the socket."""

    def __init__(
        self,
        channel: socket.socket,
        commands: Mapping[str, Callable[[Command], Mapping[str, Any] | None]],
        master_died: Callable[[], None],
    ) -> None:
        """A channel.

        Args:
            channel: connected to the master.
            commands: by name; each takes the whole command and gives what to answer, or `None`. They run on the
                channel's thread.
            master_died: called on the channel's thread when the master's end is closed.
        """
        self._channel = channel
        self._commands = commands
        self._master_died = master_died
        self._sending = threading.Lock()
        self._thread = ServiceThread("channel", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Tell the master something. Any thread. If the master has died nobody is told: the thread notices."""
        send(self._channel, message, self._sending)

    def _run(self) -> None:
        self._channel.setblocking(True)
        # A dead master is an end of file, or a reset if something that we sent was not read.
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                self._obey(json.loads(line))
        self._master_died()

    def _obey(self, command: Command) -> None:
        name = command["command"]
        request = command.get("request")
        if name not in self._commands:
            answer: Mapping[str, Any] | None = {"error": f"a worker does not know the command {name!r}"}
        else:
            try:
                answer = self._commands[name](command)
            except Exception as error:  # this thread must live on: it is the one that notices the master's death
                logger.exception(f"command {name!r} failed: please report this")
                answer = {"error": f"{type(error).__name__}: {error}"}
        if answer is not None:
            self.tell({"event": "answer", "request": request, **answer})


def send(channel: socket.socket, message: Mapping[str, Any], sending: contextlib.AbstractContextManager[Any]) -> None:
    """Write one line, under the lock `sending`. A master that has died is no error here."""
    data = json.dumps(message).encode() + b"\n"
    with sending, contextlib.suppress(OSError):
        channel.sendall(data)
