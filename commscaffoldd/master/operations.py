"""What a person can have the daemon do, by the control socket or by signals, in which state, and what it undoes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from commscaffoldd.master.answers import ReloadAnswer, UpgradeAnswer
from commscaffoldd.master.handover import Handovers, Outcome
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.manager_reports import ManagerReports
from commscaffoldd.master.rebalance import Rebalance
from commscaffoldd.master.renewal import Renewal
from commscaffoldd.master.replacement import Replacement
from commscaffoldd.master.retirement import Retirements
from commscaffoldd.master.scaling import Scaling
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.status import StatusReport
from commscaffoldd.master.stopping import Stopping
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet

LOG = logging.getLogger(__name__)


class MasterOperations:
    """Does it with the master's parts; see `commands.Operations`."""

    def __init__(
        self,
        *,
        loop: Loop,
        fleet: Fleet,
        handovers: Handovers,
        standing: Standing,
        supervisor: Supervisor,
        retirements: Retirements,
        reports: ManagerReports,
        renewal: Renewal,
        replacement: Replacement,
        status_report: StatusReport,
        abort_start: Callable[[str], None],
    ) -> None:
        """With the master's parts; `abort_start` gives the daemon's start up, if that is going on."""
        self._loop = loop
        self._fleet = fleet
        self._handovers = handovers
        self._standing = standing
        self._supervisor = supervisor
        self._retirements = retirements
        self._reports = reports
        self._renewal = renewal
        self._replacement = replacement
        self._status_report = status_report
        self._abort_start = abort_start
        self._stopping = Stopping(loop, fleet, loop.stop)

    def status(self) -> JsonObject:
        """The status."""
        return self._status_report.build(self._standing.state, self._supervisor, self._renewal.last)

    def stop(self, timeout: float | None, progress: Callable[[str], None]) -> None:
        """Stop, giving workers this many seconds to finish; None: as many as are configured."""
        self._enter_stopping()
        configured = self._supervisor.generation.config.daemon.stop_timeout
        self._stopping.gracefully(configured if timeout is None else timeout)
        self._abort_what_has_begun()
        self._stopping.tell(progress)

    def stop_now(self, progress: Callable[[str], None]) -> None:
        """Stop at once."""
        self._enter_stopping()
        self._stopping.at_once()
        self._abort_what_has_begun()
        self._stopping.tell(progress)

    def worker_gone(self) -> None:
        """A worker has ended: it may have been the last one that was waited for."""
        if self._standing.state == "stopping":
            self._stopping.check()
        self._replacement.check()

    def reload(
        self, progress: Callable[[str], None], done: Callable[[ReloadAnswer], None], replay: Path | None = None
    ) -> None:
        """Reload, unless something else is going on; the canary plays this capture first, if there is one."""
        self._renewal.begin(progress, done, replay)

    def upgrade(self, progress: Callable[[str], None], done: Callable[[UpgradeAnswer], None]) -> None:
        """Execute the installed program anew, and give it everything."""
        self._replacement.begin(self._supervisor.generation, progress, done)

    def scale(self, count: int, progress: Callable[[str], None], done: Callable[[str], None]) -> None:
        """Have so many workers, then even their connections out; `done` hears what went wrong, or nothing."""
        if self._standing.state != "running":
            done(f"the daemon is {self._standing.state}; it can be scaled when it is running")
            return
        LOG.info(f"scaling to {count} workers")

        def scaled(error: str) -> None:
            if error:
                done(error)
            else:
                self.rebalance(progress, lambda _: done(""))

        Scaling(self._loop, self._supervisor, lambda: self._retirements.going_on, count, progress, scaled).start()

    def rebalance(self, progress: Callable[[str], None], done: Callable[[Outcome], None]) -> None:
        """Even the workers' connections out; `done` hears what came of it."""
        timeout = self._supervisor.generation.config.daemon.handover_timeout
        workers = list(self._supervisor.serving.values())
        Rebalance(self._loop, self._fleet, self._handovers, timeout, progress, done).start(workers)

    def reopen_log(self) -> str:
        """Reopen the master's own log; returns what went wrong, or an empty text."""
        log = self._supervisor.generation.log
        try:
            log.reopen()
        except OSError as error:
            LOG.error(f"cannot reopen the log {log.path}: {error.strerror}")  # noqa: TRY400  # says all
            return f"the master cannot reopen {log.path}: {error.strerror}"
        LOG.info("the log was reopened")
        return ""

    def _enter_stopping(self) -> None:
        if self._standing.state != "stopping":
            self._standing.state = "stopping"
            self._supervisor.hold()
            self._reports.stopping()

    def _abort_what_has_begun(self) -> None:
        self._abort_start("the daemon was stopped while it was starting")
        self._renewal.abort("the daemon was stopped while it was reloading")
        self._replacement.abort("the daemon was stopped while it was upgrading")
