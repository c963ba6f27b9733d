"""The new master's side of an upgrade: it starts beside the old one, and takes charge when that one says so."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import load
from commscaffoldd.master.batch import CONFIGURATION
from commscaffoldd.master.canary_watch import Report
from commscaffoldd.master.execution import VARIABLE, TakeoverOrder
from commscaffoldd.master.handover import pass_on
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.packets import PacketLink, send_packet
from commscaffoldd.master.pidfile import Pidfile
from commscaffoldd.master.prepare import Prepared, StartRefused, prepare
from commscaffoldd.master.readiness import Failed, Ready
from commscaffoldd.master.workers import Worker
from commscaffoldd.version import __version__

LOG = logging.getLogger(__name__)


Check = Callable[[Path, float], Report]
"""Loads a configuration and its plugins in a canary, for so many seconds at most."""


class Charge(Protocol):
    """What the new master does once it is in charge."""

    def take_charge(self) -> str:
        """Open the control socket, write the pidfile, tell the service manager; says what went wrong, or nothing."""

    def give_up(self) -> None:
        """The old master has gone without giving the charge away, or does not want to any more: end."""

    def serving(self) -> Sequence[Worker]:
        """The workers, which take the old ones' connections."""

    def add_totals(self, totals: dict[str, int]) -> None:
        """Go on counting from what the old master's workers had counted."""


class Takeover:
    """The link to the old master, and who hears that the start went well: that one."""

    def __init__(self, link: socket.socket) -> None:
        self._socket = link
        self._link: PacketLink | None = None
        self._charge: Charge | None = None
        self._in_charge = False
        self._next = 0  # of the serving workers, gets connections next

    def attach(self, loop: Loop, charge: Charge) -> None:
        """Listen to the old master from now on."""
        self._charge = charge
        self._link = PacketLink(loop, self._socket, self._received, self._ended)

    def ready(self, word: Ready) -> None:
        """Every worker is ready: the old master may give the charge away."""
        self._say({"ready": word.pid, "version": __version__, "workers": list(word.workers)})

    def failed(self, word: Failed) -> None:
        """The start has failed."""
        for error in word.errors:
            LOG.error(f"the takeover failed: {error}")
        self._say({"errors": list(word.errors), "exit_code": word.exit_code})

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""
        fd = self._socket.fileno()
        return [fd] if fd >= 0 else []

    def _say(self, message: JsonObject) -> None:
        send_packet(self._socket, message)  # an old master that has gone will be noticed: see `_ended`

    def _received(self, message: JsonObject, fds: list[int]) -> None:
        assert self._charge is not None, "attached"
        if "go" in message:
            error = self._charge.take_charge()
            self._in_charge = not error
            self._say({"errors": [error], "exit_code": 1} if error else {"in charge": os.getpid()})
            if error:
                self._charge.give_up()
        elif "adopt" in message:
            self._adopt(fds)
        elif "totals" in message:
            self._charge.add_totals(message["totals"])

    def _adopt(self, fds: list[int]) -> None:
        assert self._charge is not None, "attached"
        workers = self._charge.serving()
        for fd in fds:
            with socket.socket(fileno=fd) as end:
                if workers:
                    self._next += 1
                    pass_on(workers[self._next % len(workers)], end)

    def _ended(self) -> None:
        assert self._charge is not None, "attached"
        if not self._in_charge:
            LOG.error("the old master has gone before it gave the charge away: this one ends")
            self._charge.give_up()


def prepare_takeover(environment: MutableMapping[str, str], check: Check) -> tuple[Prepared, Takeover, int] | int:
    """What the old master has passed to this process: all that a master needs, the link, its first worker's number.

    What goes wrong is told to the old master; then the result is the exit code. The order is taken out of the
    environment. `check` sends a canary ahead.

    Raises:
        KeyError: nobody has ordered a takeover.
    """
    order = msgspec.json.decode(environment.pop(VARIABLE), type=TakeoverOrder)
    os.set_inheritable(order.link, False)
    os.set_inheritable(order.pidfile, False)
    takeover = Takeover(socket.socket(fileno=order.link))
    try:
        config = load(Path(order.config))
        report = check(config.path, config.daemon.start_timeout)
        if not report.ok:
            takeover.failed(Failed(tuple(report.errors), CONFIGURATION))
            return CONFIGURATION
        pidfile = Pidfile.inherited(config.pidfile, order.pidfile)
        prepared = prepare(config, Path(order.default_log) if order.default_log else None, pidfile)
    except ConfigErrors as found:
        takeover.failed(Failed(tuple(map(str, found.errors)), CONFIGURATION))
        return CONFIGURATION
    except StartRefused as refused:
        takeover.failed(Failed(refused.errors, refused.exit_code))
        return refused.exit_code
    return prepared, takeover, order.first_number
