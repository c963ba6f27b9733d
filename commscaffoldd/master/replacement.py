"""Replacing this master by another one: what it lets go, when, and what it takes back if that fails."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from commscaffoldd.config.schema import Overrides
from commscaffoldd.master.answers import UpgradeAnswer
from commscaffoldd.master.batch import FAILURE
from commscaffoldd.master.children import Children
from commscaffoldd.master.control import ControlServer
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.handover import Outcome, connect
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.notify import Notifier
from commscaffoldd.master.pidfile import Pidfile
from commscaffoldd.master.retirement import Retirements
from commscaffoldd.master.rows import Rows
from commscaffoldd.master.service_watchdog import ServiceWatchdog
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.upgrade import Plan, Successor, Upgrade
from commscaffoldd.master.workers import Fleet, State, Worker

LOG = logging.getLogger(__name__)


class Replacement:
    """Acts for the master in an upgrade: it is the upgrade's `Owner`."""

    def __init__(
        self,
        *,
        loop: Loop,
        children: Children,
        fleet: Fleet,
        rows: Rows,
        standing: Standing,
        pidfile: Pidfile,
        notifier: Notifier,
        watchdog: ServiceWatchdog,
        supervisor: Supervisor,
        retirements: Callable[[], Retirements],
        control: Callable[[], ControlServer | None],
        default_log: Path | None,
    ) -> None:
        """With the master's parts; some of them are made after this."""
        self._loop = loop
        self._children = children
        self._fleet = fleet
        self._rows = rows
        self._standing = standing
        self._pidfile = pidfile
        self._notifier = notifier
        self._watchdog = watchdog
        self._supervisor = supervisor
        self._retirements = retirements
        self._control = control
        self._default_log = default_log
        self._upgrade: Upgrade | None = None
        self._progress: Callable[[str], None] = _to_nobody
        self._done: Callable[[UpgradeAnswer], None] = _to_nobody

    def begin(
        self, generation: Generation, progress: Callable[[str], None], done: Callable[[UpgradeAnswer], None]
    ) -> None:
        """Execute the installed program anew, and give it everything; refused if something else is going on."""
        standing = self._standing
        if standing.state != "running":
            text = f"the daemon is {standing.state}; an upgrade is possible when it is running"
            done(UpgradeAnswer((text,), FAILURE))
            return
        if os.getpid() == 1:
            text = "this master is process 1, with which its container ends; start a new container instead"
            done(UpgradeAnswer((text,), FAILURE))
            return
        if generation.config.overrides != Overrides():
            text = "the new program would not know of --dev, with which this one was started: start it again instead"
            done(UpgradeAnswer((text,), FAILURE))
            return
        standing.state = "upgrading"
        LOG.info("upgrading: the installed program is executed anew")
        self._progress, self._done = progress, done
        self._upgrade = Upgrade(self._loop, self._children, self, progress)
        self._upgrade.start(
            Plan(
                listeners=generation.listeners.named(),
                pidfile=self._pidfile.fileno(),
                config=generation.config.path,
                default_log=self._default_log,
                first_number=self._fleet.next_number,
                variables=self._notifier.environment() | self._watchdog.environment(),
                start_timeout=generation.config.daemon.start_timeout,
            )
        )

    def abort(self, reason: str) -> None:
        """Give up what has begun, unless the new master is in charge."""
        if self._upgrade is not None:
            self._upgrade.abort(reason)

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""
        return self._upgrade.fds() if self._upgrade is not None else []

    def connect(self, worker: Worker) -> list[socket.socket]:
        """Bring a worker that goes together with those that serve: the new master's, if that is in charge."""
        if self._standing.state == "leaving" and self._upgrade is not None:
            return self._upgrade.connect()
        serving = [one for one in self._supervisor.serving.values() if one is not worker]
        return connect([one for one in serving if one.state is State.READY])

    def check(self) -> None:
        """End the master, if another one is in charge and no worker is left here."""
        if self._standing.state == "leaving" and not self._fleet.living:
            if self._upgrade is not None:
                self._upgrade.farewell(self._rows.totals([]))
            self._loop.stop()

    # What the upgrade asks for: upgrade.Owner

    def let_go(self, pid: int) -> None:
        """Leave control socket and pidfile to the process with this pid."""
        control = self._control()
        if control is not None:
            control.close()
        self._notifier.main_pid(pid)

    def take_back(self) -> None:
        """It has failed after that."""
        self._notifier.main_pid(os.getpid())
        control = self._control()
        try:
            self._pidfile.write()
            if control is not None:
                control.open()
        except OSError as error:
            LOG.error(f"cannot open the control socket again: {error.strerror}")  # noqa: TRY400  # says all

    def refused(self, errors: tuple[str, ...], exit_code: int) -> None:
        """There is no new master."""
        self._upgrade = None
        for error in errors:
            LOG.error(f"the upgrade was refused: {error}")
        if self._standing.state == "upgrading":
            self._standing.state = "running"
        self._done(UpgradeAnswer(errors, exit_code))

    def succeeded(self, successor: Successor) -> None:
        """Another master is in charge: hand all connections over to its workers, and end."""
        LOG.info(f"the master with pid {successor.pid}, version {successor.version}, is in charge; this one ends")
        self._standing.state = "leaving"
        self._standing.in_charge = False
        self._pidfile.leave()
        self._watchdog.stop()
        workers = [worker for worker in self._fleet.living if worker.state is State.READY]
        self._supervisor.hold()

        def done(outcome: Outcome) -> None:
            self._done(UpgradeAnswer(connections=outcome, pid=successor.pid, version=successor.version))
            self.check()

        self._retirements().begin(workers, self._supervisor.generation.config.daemon, self._progress, done)


def _to_nobody(_: object) -> None:
    """Nobody has asked."""
