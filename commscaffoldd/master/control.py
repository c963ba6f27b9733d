"""The control socket: one request a connection, answered by progress lines and one final line."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from commscaffoldd.master.lines import JsonObject, LineStream, send_line
from commscaffoldd.master.loop import READ, Loop, Timer
from commscaffoldd.master.unix_path import bind_unix

LOG = logging.getLogger(__name__)

MAX_CLIENTS: Final = 16
MAX_REQUEST: Final = 65536  # bytes
MAX_UNSENT: Final = 16 << 20
IDLE: Final = 10.0  # seconds for a client to send its request, and again to take the answer
_MODE: Final = 0o600
_BACKLOG: Final = 64
_AFTER_ACCEPT_ERROR: Final = 0.5

Handler: TypeAlias = "Callable[[ControlRequest], None]"


class ControlRequest:
    """A client's request. Its handler ends it with `answer` or `fail`, at once or later.

    All methods do nothing once the client has gone: what was begun for it goes on without it.
    """

    def __init__(self, message: JsonObject, client: _Client) -> None:
        self.message = message
        self.command = str(message.get("command"))
        self._client = client

    def progress(self, text: str) -> None:
        """Say how far it is."""
        self._client.send({"progress": text})

    def answer(self, **values: Any) -> None:  # noqa: ANN401  # whatever JSON can say
        """The final line of a request that went well."""
        self._client.send({"ok": True, **values})
        self._client.finish()

    def pass_descriptor(self, fd: int, **values: Any) -> bool:  # noqa: ANN401  # whatever JSON can say
        """A line that a descriptor comes with; a copy of it: the caller's stays his.

        Returns:
            Whether it is on its way; not if the client has gone, or does not read.
        """
        return self._client.stream.send_descriptor({"descriptor": True, **values}, fd)

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Have this called once the connection has ended, whoever ends it."""
        self._client.gone = callback

    def answer_and_stay(self, **values: Any) -> None:  # noqa: ANN401  # whatever JSON can say
        """The final line, after which progress lines follow until the master closes the connection."""
        self._client.send({"ok": True, **values})

    def fail(self, errors: list[str] | tuple[str, ...], exit_code: int = 1) -> None:
        """The final line of a request that did not go well."""
        self._client.send({"ok": False, "errors": list(errors), "exit_code": exit_code})
        self._client.finish()


class ControlServer:
    """Listens on the control socket and hands requests to `handler`.

    Whoever may connect may do everything, so the socket is for the daemon's own user only. Raises OSError if the
    path cannot be bound.
    """

    def __init__(self, loop: Loop, path: Path, handler: Handler) -> None:
        self._loop = loop
        self._path = path
        self._handler = handler
        self._clients: list[_Client] = []  # the oldest first
        self._paused: Timer | None = None
        self.open()

    def open(self) -> None:
        """Listen; also again, after `close`. Raises OSError if the path cannot be bound."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)  # the pidfile's lock is ours, so it is an earlier master's
            bind_unix(self._socket, self._path, _MODE)
            self._socket.listen(_BACKLOG)
        except BaseException:
            self._socket.close()
            raise
        self._loop.watch(self._socket.fileno(), READ, self._accept)

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""
        return [self._socket.fileno(), *(client.stream.fileno() for client in self._clients)]

    def close(self) -> None:
        """Accept nobody any more, and remove the path. Clients stay connected until `close_clients`."""
        if self._paused is not None:
            self._paused.cancel()
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._path.unlink(missing_ok=True)
            self._socket.close()

    def close_clients(self) -> None:
        """Close every connection. A client that waits for the master's end takes this as the sign."""
        for client in list(self._clients):
            client.close()

    def forget(self, client: _Client) -> None:
        """A client has gone."""
        if client in self._clients:
            self._clients.remove(client)

    def handle(self, request: ControlRequest) -> None:
        """Call the handler; what it did not expect is the client's error, not the master's end."""
        try:
            self._handler(request)
        except Exception as error:
            LOG.exception(f"control command {request.command!r} failed unexpectedly")
            request.fail([f"unexpected {type(error).__name__} in the master: {error}"])

    def _accept(self, _events: int) -> None:
        try:
            connected, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            LOG.error(f"cannot accept at the control socket: {error.strerror}")  # noqa: TRY400  # says all
            self._loop.unwatch(self._socket.fileno())
            self._paused = self._loop.call_later(_AFTER_ACCEPT_ERROR, self._resume)
            return
        if len(self._clients) >= MAX_CLIENTS:
            self._make_room()
        if len(self._clients) >= MAX_CLIENTS:
            text = f"{MAX_CLIENTS} control clients wait for answers already; try again"
            connected.setblocking(False)
            send_line(connected, {"ok": False, "errors": [text], "exit_code": 1})
            connected.close()
            return
        self._clients.append(_Client(self._loop, connected, self))

    def _make_room(self) -> None:
        """Close the one that has said nothing for the longest: those that are silent keep nobody out."""
        for client in self._clients:
            if not client.asked:
                client.close()
                return

    def _resume(self) -> None:
        self._loop.watch(self._socket.fileno(), READ, self._accept)


class _Client:
    """One connection: waits for its request, then carries the answer."""

    def __init__(self, loop: Loop, connected: socket.socket, server: ControlServer) -> None:
        self._loop = loop
        self._server = server
        self.asked = False
        self.gone: Callable[[], None] | None = None
        self._idle = loop.call_later(IDLE, self.close)
        self.stream = LineStream(loop, connected, self, MAX_REQUEST, MAX_UNSENT)

    def received(self, message: JsonObject) -> None:
        if self.asked:
            return  # one request a connection
        self.asked = True
        self._idle.cancel()
        self._server.handle(ControlRequest(message, self))

    def ended(self, reason: str) -> None:
        if reason and not self.asked:
            LOG.warning(f"a control client was closed: {reason}")
        self.close()

    def send(self, message: JsonObject) -> None:
        self.stream.send(message)

    def finish(self) -> None:
        if self.stream.open:
            self._idle = self._loop.call_later(IDLE, self.close)
            self.stream.close_when_sent()

    def close(self) -> None:
        self._idle.cancel()
        self.stream.close()
        self._server.forget(self)
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()
