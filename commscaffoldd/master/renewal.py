"""Replacing the generation in use by a newer one: what a reload is for the daemon, before, between and after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from commscaffoldd.master.answers import ReloadAnswer
from commscaffoldd.master.batch import FAILURE
from commscaffoldd.master.canary_watch import CanaryCode
from commscaffoldd.master.children import Children
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.handover import Outcome
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.manager_reports import ManagerReports
from commscaffoldd.master.prepare import open_configured_log
from commscaffoldd.master.reload import Reload, ReloadResult
from commscaffoldd.master.retirement import Retirements
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.status import LastReload, now_text
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet

LOG = logging.getLogger(__name__)


class Renewal:
    """Acts for the master in a reload.

    Attributes:
        last: what came of the last one, if there was any.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        children: Children,
        fleet: Fleet,
        standing: Standing,
        supervisor: Supervisor,
        retirements: Retirements,
        reports: ManagerReports,
        canary_code: CanaryCode,
        default_log: Path | None,
        private_fds: Callable[[], Iterable[int]],
    ) -> None:
        """With the master's parts; `private_fds` gives all descriptors that are no child's business."""
        self._loop = loop
        self._children = children
        self._fleet = fleet
        self._standing = standing
        self._supervisor = supervisor
        self._retirements = retirements
        self._reports = reports
        self._canary_code = canary_code
        self._default_log = default_log
        self._private_fds = private_fds
        self._reload: Reload | None = None
        self._progress: Callable[[str], None] = _to_nobody
        self._done: Callable[[ReloadAnswer], None] = _to_nobody
        self.last: LastReload | None = None

    def begin(
        self, progress: Callable[[str], None], done: Callable[[ReloadAnswer], None], replay: Path | None
    ) -> None:
        """Reload; refused if something else is going on. The canary plays this capture first, if there is one."""
        if self._standing.state != "running":
            text = f"the daemon is {self._standing.state}; a reload is possible when it is running"
            LOG.warning(f"a reload was refused: {text}")
            done(ReloadAnswer((text,), FAILURE))
            return
        before = self._supervisor.generation
        self._standing.state = "reloading"
        LOG.info(f"reloading {before.config.path}")
        self._reports.reloading()
        self._progress, self._done = progress, done
        self._reload = Reload(
            loop=self._loop,
            children=self._children,
            fleet=self._fleet,
            before=before,
            canary_code=self._canary_code,
            open_log=lambda config: open_configured_log(config, self._default_log),
            replay=replay,
            progress=progress,
            done=self._judged,
        )
        self._reload.start(fd for fd in self._private_fds() if fd != before.log.fileno())

    def abort(self, reason: str) -> None:
        """Give up what has begun, unless the new workers serve already."""
        if self._reload is not None:
            self._reload.abort(reason)

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""
        return self._reload.fds() if self._reload is not None else []

    def _judged(self, result: ReloadResult) -> None:
        self._reload = None
        self.last = LastReload(now_text(), not result.errors, result.errors)
        if result.generation is None:
            for error in result.errors:
                LOG.error(f"the reload was refused: {error}")
            self._end(ReloadAnswer(result.errors, result.exit_code))
        else:
            self._put_in_charge(result.generation, result)

    def _put_in_charge(self, now: Generation, result: ReloadResult) -> None:
        before = self._supervisor.generation
        retiring = self._supervisor.adopt(now, result.workers)
        _take_over(before, now)
        LOG.info(f"reloaded: {len(result.workers)} new workers serve, {len(retiring)} old ones retire")
        new_pids, old_pids = [one.pid for one in result.workers], [one.pid for one in retiring]

        def handed_over(outcome: Outcome) -> None:
            self._end(ReloadAnswer(connections=outcome, new_pids=new_pids, old_pids=old_pids))

        self._retirements.begin(retiring, now.config.daemon, self._progress, handed_over)

    def _end(self, answer: ReloadAnswer) -> None:
        if self._standing.state == "reloading":
            self._standing.state = "running"
            self._reports.ready()
        self._done(answer)


def _take_over(before: Generation, now: Generation) -> None:
    now.listeners.keep_in_store()  # first: a unix socket's path is removed only when nobody keeps the socket
    before.listeners.close_except(now.listeners)
    now.listeners.apply_backlogs()
    if now.log is not before.log:
        now.log.install("master")
        before.log.close()
    now.listeners.warn_of_unused()


def _to_nobody(_: object) -> None:
    """Nobody has asked."""
