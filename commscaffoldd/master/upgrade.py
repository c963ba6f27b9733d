"""The old master's side of an upgrade: it executes the program anew, and goes once that one serves.

EXECUTED    the new master loads configuration and plugins and starts its workers, on the same listeners. It fails,
   |        dies or hangs: it is ended, and nothing has changed.
READY       the control socket and the pidfile are the new one's from here on.
   |
IN CHARGE   the old workers hand their connections over, and end; then this master does.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.core.descriptors import MOST_IN_A_MESSAGE
from commscaffoldd.master.batch import FAILURE
from commscaffoldd.master.children import Children, describe_end
from commscaffoldd.master.execution import execute
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.packets import PacketLink

LOG = logging.getLogger(__name__)

_MARGIN: Final = 10.0  # seconds over start_timeout, within which the new master itself says that it failed
_TO_TAKE_CHARGE: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What the new master gets.

    Attributes:
        listeners: names and descriptors.
        pidfile: the locked pidfile's descriptor.
        config: the configuration file.
        default_log: where to log if that names no file.
        first_number: of its workers.
        variables: for its environment.
        start_timeout: seconds for its workers to become ready.
    """

    listeners: list[tuple[str, int]]
    pidfile: int
    config: Path
    default_log: Path | None
    first_number: int
    variables: Mapping[str, str]
    start_timeout: float


@dataclasses.dataclass(frozen=True, slots=True)
class Successor:
    """The new master, as it has said of itself."""

    pid: int
    version: str
    workers: int


class Owner(Protocol):
    """The master that is to be replaced."""

    def let_go(self, pid: int) -> None:
        """Leave control socket and pidfile to the process with this pid."""

    def take_back(self) -> None:
        """It has failed after that: open the control socket again, write the pidfile again."""

    def succeeded(self, successor: Successor) -> None:
        """The new master is in charge: hand all connections over, and end."""

    def refused(self, errors: tuple[str, ...], exit_code: int) -> None:
        """There is no new master; nothing has changed."""


class Upgrade:
    """One upgrade. Exactly one of `succeeded` and `refused` is called."""

    def __init__(self, loop: Loop, children: Children, owner: Owner, progress: Callable[[str], None]) -> None:
        self._loop = loop
        self._children = children
        self._owner = owner
        self._progress = progress
        self._link: PacketLink | None = None
        self._timer: Timer | None = None
        self._pid = 0
        self._successor: Successor | None = None
        self._decided = False

    def start(self, plan: Plan) -> None:
        """Execute the program. `refused` may be called before this returns."""
        self._progress("executing the installed program")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._pid = execute(
                plan.listeners,
                link=theirs.fileno(),
                pidfile=plan.pidfile,
                config=plan.config,
                default_log=plan.default_log,
                first_number=plan.first_number,
                variables=plan.variables,
            )
        except OSError as error:
            ours.close()
            self._refuse((f"the new master cannot be forked: {error.strerror}",), FAILURE)
            return
        finally:
            theirs.close()
        LOG.info(f"upgrading: the new master has pid {self._pid}")
        self._link = PacketLink(self._loop, ours, self._received, lambda: None)
        self._children.add(self._pid, self._ended)
        seconds = 2 * plan.start_timeout + _MARGIN  # for its canary, and for its workers
        self._timer = self._loop.call_later(seconds, lambda: self._too_late(f"was not ready within {seconds:g} s"))

    def abort(self, reason: str) -> None:
        """Give up, unless the new master is in charge already."""
        if not self._decided:
            self._children.kill(self._pid, signal.SIGTERM)
            self._refuse((reason,), FAILURE)

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""
        return [self._link.fileno()] if self._link is not None and self._link.fileno() >= 0 else []

    def connect(self) -> list[socket.socket]:
        """Ends of socket pairs, whose other ends the new master's workers have; none if that has gone."""
        if self._link is None or self._successor is None:
            return []
        pairs = [socket.socketpair() for _ in range(min(self._successor.workers, MOST_IN_A_MESSAGE))]
        sent = self._link.send({"adopt": len(pairs)}, [theirs.fileno() for _, theirs in pairs])
        for ours, theirs in pairs:
            theirs.close()
            if not sent:
                ours.close()
        return [ours for ours, _ in pairs] if sent else []

    def farewell(self, totals: JsonObject) -> None:
        """Tell the new master what the old workers had counted, and let go of it."""
        if self._link is not None:
            self._link.send({"totals": totals})
            self._link.close()

    def _received(self, message: JsonObject, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        if "ready" in message and self._successor is None:
            workers = message["workers"]
            self._successor = Successor(int(message["ready"]), str(message["version"]), len(workers))
            self._progress(f"the new master, pid {self._pid}, is ready with {len(workers)} workers; it takes charge")
            self._set_timer(_TO_TAKE_CHARGE, f"did not take charge within {_TO_TAKE_CHARGE:g} s")
            self._owner.let_go(self._pid)
            if self._link is not None:
                self._link.send({"go": True})
        elif "in charge" in message and self._successor is not None:
            self._decide()
            self._owner.succeeded(self._successor)
        elif "errors" in message:
            self._refuse(tuple(map(str, message["errors"])), int(message.get("exit_code") or FAILURE))

    def _ended(self, status: int) -> None:
        if self._link is not None and not self._decided:
            self._link.drain()  # its last words may still be unread
        self._refuse((f"the new master ended while it was starting: {describe_end(status)}; the log may say why",), 1)

    def _too_late(self, text: str) -> None:
        self._children.kill(self._pid, signal.SIGKILL)
        self._refuse((f"the new master {text}",), FAILURE)

    def _set_timer(self, seconds: float, text: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, lambda: self._too_late(text))

    def _refuse(self, errors: tuple[str, ...], exit_code: int) -> None:
        if self._decided:
            return
        self._decide()
        if self._link is not None:
            self._link.close()  # a new master that still lives ends by this
        if self._successor is not None:
            self._owner.take_back()
        self._owner.refused(errors, exit_code)

    def _decide(self) -> None:
        self._decided = True
        if self._timer is not None:
            self._timer.cancel()
