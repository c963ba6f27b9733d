"""The other end of the control socket: what the commands use to talk to a running master."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from commscaffoldd.master.pidfile import wait_until_free

_CHUNK: Final = 65536
_MAX_LINE: Final = 64 << 20
_AFTER_END: Final = 5.0  # seconds that a process may take to be gone after it has closed everything

Progress = Callable[[str], None]


class NotRunning(Exception):  # noqa: N818  # a state of things, told by its name
    """Nobody answers at the control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"commscaffoldd is not running: nobody answers at {path}")


class NotPermitted(Exception):  # noqa: N818
    """The control socket belongs to another user."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"not permitted to use the control socket {path}; it is its daemon's user's and root's")


class ControlTimeout(Exception):  # noqa: N818
    """The master did not answer in time."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__(f"the daemon at {path} said nothing for {timeout:g} s")


class StopRefused(Exception):  # noqa: N818
    """The daemon does not stop; `errors` says why."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__("\n".join(errors))


def request(path: Path, command: Mapping[str, Any], timeout: float, on_progress: Progress) -> dict[str, Any]:
    """Send a command and return the final line, whether it says ok or not; progress lines go to `on_progress`.

    `timeout` is the longest silence, in seconds. Raises NotRunning, also if the master ends meanwhile, NotPermitted
    and ControlTimeout.
    """
    with connected(path, timeout) as connection:
        send_command(connection, path, command, timeout)
        for message in _lines(connection, path, timeout):
            if "progress" in message:
                on_progress(str(message["progress"]))
            else:
                return message
    raise NotRunning(path)


def stop(path: Path, *, now: bool, drain: float | None, timeout: float, on_progress: Progress) -> int:
    """Stop the daemon; returns the pid that it had, once that process is gone.

    `drain`: seconds for a graceful stop, None for as many as the daemon is configured with. `timeout` is the longest
    silence, in seconds. Raises what `request` raises, and StopRefused.
    """
    with connected(path, timeout) as connection:
        send_command(connection, path, {"command": "stop", "now": now, "timeout": drain}, timeout)
        messages = _lines(connection, path, timeout)
        first = next(messages, None)
        if first is None:
            raise NotRunning(path)
        if not first.get("ok"):
            raise StopRefused([str(error) for error in first.get("errors") or ["no reason was given"]])
        pid = int(first["pid"])
        with _process(pid) as ended:
            for message in messages:
                if "progress" in message:
                    on_progress(str(message["progress"]))
            # All is closed. What is left is the process's own end, which the next start must not run into.
            if not ended(_AFTER_END):
                raise ControlTimeout(path, _AFTER_END)
    if not wait_until_free(path.with_name("commscaffoldd.pid"), _AFTER_END):
        raise ControlTimeout(path, _AFTER_END)
    return pid


@contextlib.contextmanager
def connected(path: Path, timeout: float) -> Iterator[socket.socket]:
    """A connection to the control socket. Raises NotRunning, NotPermitted and ControlTimeout."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotRunning(path) from None
        except PermissionError:
            raise NotPermitted(path) from None
        except TimeoutError:
            raise ControlTimeout(path, timeout) from None
        yield connection


def send_command(connection: socket.socket, path: Path, command: Mapping[str, Any], timeout: float) -> None:
    """Send a command; not to a master that has closed already, which may have said why. Raises ControlTimeout."""
    try:
        connection.sendall(msgspec.json.encode(command) + b"\n")
    except TimeoutError:
        raise ControlTimeout(path, timeout) from None
    except OSError:
        pass  # it has closed already; it may have said why


def _lines(connection: socket.socket, path: Path, timeout: float) -> Iterator[dict[str, Any]]:
    received = bytearray()
    while True:
        try:
            data = connection.recv(_CHUNK)
        except TimeoutError:
            raise ControlTimeout(path, timeout) from None
        except ConnectionResetError:
            return
        if not data:
            return
        searched = len(received)
        received += data
        while (end := received.find(b"\n", searched)) >= 0:
            yield msgspec.json.decode(received[:end], type=dict[str, Any])
            del received[: end + 1]
            searched = 0
        if len(received) > _MAX_LINE:
            raise ControlTimeout(path, timeout)


@contextlib.contextmanager
def _process(pid: int) -> Iterator[Callable[[float], bool]]:
    """A function that says whether the process has ended within so many seconds."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # gone already; or an old kernel, a sandbox: then the pidfile's lock has to do
        yield lambda _timeout: True
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        yield lambda timeout: bool(poller.poll(timeout * 1000))
    finally:
        os.close(fd)
