"""The master process: puts the parts together, and knows in which state the daemon is."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.core.counters import Statistics
from commscaffoldd.master.answers import ReloadAnswer, UpgradeAnswer
from commscaffoldd.master.batch import FAILURE, Batch, BatchResult
from commscaffoldd.master.canary_watch import CanaryCode
from commscaffoldd.master.capture import Captures
from commscaffoldd.master.children import Children
from commscaffoldd.master.commands import Commands
from commscaffoldd.master.control import ControlServer
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.handover import Handovers, Outcome
from commscaffoldd.master.hung import HungWatch
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.listen_errors import NO_PERMISSION, ListenErrors
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.pidfile import Pidfile
from commscaffoldd.master.prepare import Prepared, open_configured_log
from commscaffoldd.master.privileges import PrivilegeError, drop, without_effect
from commscaffoldd.master.questions import Answers, Questions
from commscaffoldd.master.readiness import Failed, Ready
from commscaffoldd.master.rebalance import Rebalance
from commscaffoldd.master.recycling import Recycling
from commscaffoldd.master.reload import Reload, ReloadResult
from commscaffoldd.master.replacement import Replacement
from commscaffoldd.master.retirement import Retirements
from commscaffoldd.master.rows import ROWS, Rows
from commscaffoldd.master.scaling import Scaling
from commscaffoldd.master.service_watchdog import ServiceWatchdog, watchdog_interval
from commscaffoldd.master.signals import Signals
from commscaffoldd.master.spawn import RunWorker, Spawner
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.status import LastReload, StatusReport, now_text
from commscaffoldd.master.stopping import Stopping
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.takeover import Takeover
from commscaffoldd.master.title import set_title
from commscaffoldd.master.workers import Fleet, State, Worker

LOG = logging.getLogger(__name__)

_HOUSEKEEPING: Final = 1.0  # seconds; a child's signal can be lost (a full wakeup socket), its end must not be
_REOPEN_WITHIN: Final = 5.0


class Startup(Protocol):
    """Whoever waits for the daemon to start."""

    def ready(self, word: Ready) -> None:
        """Every worker is ready."""

    def failed(self, word: Failed) -> None:
        """The start has failed, and all workers are gone."""

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close."""


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerCode:
    """What runs in the children."""

    run_worker: RunWorker
    canary: CanaryCode


class Master:
    """The daemon's first process. `run` is its life; everything else is called by its own loop.

    Args:
        prepared: what was opened for it. The pidfile is released by whoever runs the master, after `run`.
        startup: hears whether the start went well.
        code: what runs in workers and canaries.
        takeover: the link to another master, which gives the charge away when this one is ready.
        first: number of the first worker.
    """

    def __init__(
        self, prepared: Prepared, startup: Startup, code: WorkerCode, takeover: Takeover | None = None, first: int = 1
    ) -> None:
        self._pidfile: Pidfile = prepared.pidfile
        self._identity = prepared.identity
        self._default_log = prepared.default_log
        self._startup = startup
        self._code = code
        self._notifier = prepared.manager.notifier
        self._loop = Loop()
        self._children = Children()
        self._rows = Rows(Statistics(ROWS))
        self._standing = Standing("starting", takeover is None)
        self._questions = Questions(self._loop)
        self._handovers = Handovers(self._loop)
        self._fleet = Fleet(
            loop=self._loop,
            children=self._children,
            rows=self._rows,
            spawn=Spawner(code.run_worker, self._private_fds).spawn,
            answered=self._questions.answered,
            handing_over=self._handovers.heard,
            born=lambda worker: self._captures.worker_born(worker),  # noqa: PLW0108  # it is made below
            gone=self._worker_gone,
            first_number=first,
        )
        self._captures = Captures(lambda: self._fleet.living, lambda: self._generation.config)
        self._retirements = Retirements(
            self._loop,
            self._fleet,
            self._handovers,
            lambda worker: self._replacement.connect(worker),  # noqa: PLW0108  # it is made below
        )
        self._supervisor = Supervisor(
            self._loop,
            self._fleet,
            prepared.generation,
            self._tell_status,
            lambda workers: self._retirements.begin(workers, self._generation.config.daemon),
        )
        self._recycling = Recycling(
            self._loop,
            self._supervisor,
            lambda: self._standing.state == "running",
            random.Random(),  # noqa: S311  # no secret
        )
        self._watchdog = ServiceWatchdog(
            self._loop,
            self._notifier,
            watchdog_interval(os.environ, os.getpid()),
            lambda: list(self._supervisor.serving.values()),
        )
        self._replacement = Replacement(
            loop=self._loop,
            children=self._children,
            fleet=self._fleet,
            rows=self._rows,
            standing=self._standing,
            pidfile=self._pidfile,
            notifier=self._notifier,
            watchdog=self._watchdog,
            supervisor=self._supervisor,
            retirements=lambda: self._retirements,
            control=lambda: self._control,
            default_log=self._default_log,
        )
        self._report = StatusReport(self._fleet, self._rows, prepared.engine)
        self._hung_watch = HungWatch(self._loop, self._fleet, self._children)
        self._stopping = Stopping(self._loop, self._fleet, self._loop.stop)
        self._exit_code = 0
        self._takeover = takeover
        self._starting: Batch | None = None
        self._reload: Reload | None = None
        self._last_reload: LastReload | None = None
        self._signals: Signals | None = None
        self._control: ControlServer | None = None

    @property
    def _generation(self) -> Generation:
        return self._supervisor.generation

    def run(self) -> int:
        """Start the workers, serve until told to stop, and return the exit code. Returns when all workers are gone.

        Control clients that wait for the end stay connected until `farewell`.
        """
        set_title("master")
        self._generation.log.install("master")
        try:
            self._open()
        except PrivilegeError as error:
            return self._give_up(str(error), NO_PERMISSION)
        except OSError as error:
            code = NO_PERMISSION if isinstance(error, PermissionError) else FAILURE
            path = self._generation.config.control_socket
            return self._give_up(f"cannot open the control socket {path}: {error.strerror}", code)
        try:
            self._start()
            self._loop.run()
        finally:
            self._close()
        return self._exit_code

    def close_log(self) -> None:
        """Close the log; for a master whose process lives on."""
        self._generation.log.close()

    def farewell(self) -> None:
        """Let go of the control clients: this tells them that everything is down."""
        if self._control is not None:
            self._control.close_clients()

    # What the control socket and the signals ask for: commands.Operations

    def status(self) -> JsonObject:
        """The status."""
        return self._report.build(self._standing.state, self._supervisor, self._last_reload)

    def stop(self, timeout: float | None, progress: Callable[[str], None]) -> None:
        """Stop, giving workers this many seconds to finish; None: as many as are configured."""
        self._enter_stopping()
        self._stopping.gracefully(self._generation.config.daemon.stop_timeout if timeout is None else timeout)
        self._abort_what_has_begun()
        self._stopping.tell(progress)

    def stop_now(self, progress: Callable[[str], None]) -> None:
        """Stop at once."""
        self._enter_stopping()
        self._stopping.at_once()
        self._abort_what_has_begun()
        self._stopping.tell(progress)

    def reload(
        self, progress: Callable[[str], None], done: Callable[[ReloadAnswer], None], replay: Path | None = None
    ) -> None:
        """Reload, unless something else is going on; the canary plays this capture first, if there is one."""
        if self._standing.state != "running":
            text = f"the daemon is {self._standing.state}; a reload is possible when it is running"
            LOG.warning(f"a reload was refused: {text}")
            done(ReloadAnswer((text,), FAILURE))
            return
        self._standing.state = "reloading"
        LOG.info(f"reloading {self._generation.config.path}")
        self._notifier.reloading("reloading")
        self._reload = Reload(
            loop=self._loop,
            children=self._children,
            fleet=self._fleet,
            before=self._generation,
            canary_code=self._code.canary,
            open_log=lambda config: open_configured_log(config, self._default_log),
            replay=replay,
            progress=progress,
            done=lambda result: self._reloaded(result, progress, done),
        )
        self._reload.start(fd for fd in self._private_fds() if fd != self._generation.log.fileno())

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
        timeout = self._generation.config.daemon.handover_timeout
        workers = list(self._supervisor.serving.values())
        Rebalance(self._loop, self._fleet, self._handovers, timeout, progress, done).start(workers)

    def reopen_log(self) -> str:
        """Reopen the master's own log; returns what went wrong, or an empty text."""
        log = self._generation.log
        try:
            log.reopen()
        except OSError as error:
            LOG.error(f"cannot reopen the log {log.path}: {error.strerror}")  # noqa: TRY400  # says all
            return f"the master cannot reopen {log.path}: {error.strerror}"
        LOG.info("the log was reopened")
        return ""

    # The parts of the run

    def _open(self) -> None:
        if self._identity is not None:
            drop(self._identity)
        if self._takeover is None:
            self._open_control()
        else:
            self._takeover.attach(self._loop, self)
        self._signals = Signals(
            self._loop,
            {
                signal.SIGTERM: self._on_terminate,
                signal.SIGINT: self._on_terminate,
                signal.SIGQUIT: lambda: self.stop_now(_to_nobody),
                signal.SIGUSR1: self._on_reopen,
                signal.SIGUSR2: lambda: self.reload(LOG.info, _to_nobody),
                signal.SIGTTIN: lambda: self._change_workers(self._supervisor.grow, "one worker more"),
                signal.SIGTTOU: lambda: self._change_workers(self._supervisor.shrink, "one worker fewer"),
                signal.SIGCHLD: self._children.reap,
            },
        )
        self._housekeeping()
        self._recycling.start()
        self._hung_watch.start()

    def _start(self) -> None:
        config = self._generation.config
        if warning := without_effect(config.daemon.user, config.daemon.group):
            LOG.warning(warning)
        self._warn_of_unused_sockets()
        LOG.info(f"starting {config.worker_count} workers with {config.path}")
        gc.freeze()  # what exists now is shared by all workers; a collection must not copy its pages
        slots = range(1, config.worker_count + 1)
        self._starting = Batch(self._fleet, self._generation, slots, self._notifier.status, self._started)
        self._starting.start()

    def _started(self, result: BatchResult) -> None:
        self._starting = None
        if result.errors:
            self._exit_code = result.exit_code
            self._startup.failed(Failed(result.errors, result.exit_code))
            self._loop.stop()
            return
        self._supervisor.adopt(self._generation, result.workers)
        self._standing.state = "running"
        listening = self._generation.listeners.addresses()
        LOG.info(f"ready: {len(result.workers)} workers serve {', '.join(listening)}")
        if self._takeover is None:
            self._tell_manager()
        else:
            self._standing.state = "taking over"
        pids = tuple(worker.pid for worker in result.workers)
        self._startup.ready(Ready(os.getpid(), listening, pids, self._generation.listeners.layouts()))

    def _reloaded(
        self, result: ReloadResult, progress: Callable[[str], None], done: Callable[[ReloadAnswer], None]
    ) -> None:
        self._reload = None
        self._last_reload = LastReload(now_text(), not result.errors, result.errors)
        if result.generation is None:
            for error in result.errors:
                LOG.error(f"the reload was refused: {error}")
            self._end_reload(ReloadAnswer(result.errors, result.exit_code), done)
            return
        before = self._generation
        retiring = self._supervisor.adopt(result.generation, result.workers)
        self._take_over_from(before, result.generation)
        LOG.info(f"reloaded: {len(result.workers)} new workers serve, {len(retiring)} old ones retire")
        new_pids, old_pids = [one.pid for one in result.workers], [one.pid for one in retiring]
        self._retirements.begin(
            retiring,
            result.generation.config.daemon,
            progress,
            lambda outcome: self._end_reload(ReloadAnswer((), 0, new_pids, old_pids, outcome), done),
        )

    def _end_reload(self, answer: ReloadAnswer, done: Callable[[ReloadAnswer], None]) -> None:
        if self._standing.state == "reloading":
            self._standing.state = "running"
            self._notifier.ready(self._summary())
        done(answer)

    # An upgrade, as the new master: takeover.Charge

    def take_charge(self) -> str:
        """Be the daemon's master from now on; says what went wrong, or nothing."""
        try:
            self._open_control()
            self._pidfile.write()
        except OSError as error:
            return f"cannot open {error.filename or self._generation.config.control_socket}: {error.strerror}"
        self._standing.state = "running"
        self._standing.in_charge = True
        LOG.info("this master is in charge now")
        self._tell_manager()
        return ""

    def give_up(self) -> None:
        """End, with all workers: nobody relies on them yet."""
        self._standing.in_charge = False
        self._exit_code = FAILURE
        self.stop_now(_to_nobody)

    def serving(self) -> list[Worker]:
        """The workers that can take connections."""
        return [worker for worker in self._supervisor.serving.values() if worker.state is State.READY]

    def add_totals(self, totals: dict[str, int]) -> None:
        """Go on counting from these."""
        self._rows.add(totals)

    def upgrade(self, progress: Callable[[str], None], done: Callable[[UpgradeAnswer], None]) -> None:
        """Execute the installed program anew, and give it everything."""
        self._replacement.begin(self._generation, progress, done)

    def _open_control(self) -> None:
        commands = Commands(self, self._fleet, self._questions, self._captures, os.getpid())
        self._control = ControlServer(self._loop, self._generation.config.control_socket, commands.handle)

    def _tell_manager(self) -> None:
        self._notifier.ready(self._summary())
        self._generation.listeners.keep_in_store()
        self._watchdog.start()

    def _take_over_from(self, before: Generation, now: Generation) -> None:
        now.listeners.keep_in_store()  # first: a unix socket's path is removed only when nobody keeps the socket
        before.listeners.close_except(now.listeners)
        now.listeners.apply_backlogs()
        if now.log is not before.log:
            now.log.install("master")
            before.log.close()
        self._warn_of_unused_sockets()

    def _warn_of_unused_sockets(self) -> None:
        for name in self._generation.listeners.unused():
            LOG.warning(
                f"systemd has passed a socket named {name!r} that no [[listen]] names: "
                "whoever connects to it waits in vain"
            )

    def _worker_gone(self, worker: Worker) -> None:
        self._questions.gone(worker)
        self._handovers.gone(worker)
        if self._standing.state == "stopping":
            self._stopping.check()
        self._replacement.check()

    def _enter_stopping(self) -> None:
        if self._standing.state != "stopping":
            self._standing.state = "stopping"
            self._supervisor.hold()
            self._watchdog.stop()
            if self._standing.in_charge:
                self._notifier.stopping("stopping")

    def _abort_what_has_begun(self) -> None:
        if self._starting is not None:
            self._starting.abort("the daemon was stopped while it was starting")
        if self._reload is not None:
            self._reload.abort("the daemon was stopped while it was reloading")
        self._replacement.abort("the daemon was stopped while it was upgrading")

    def _on_terminate(self) -> None:
        if self._standing.state == "stopping":
            self.stop_now(_to_nobody)
        else:
            self.stop(None, _to_nobody)

    def _on_reopen(self) -> None:
        self.reopen_log()
        self._questions.ask(self._fleet.living, "reopen", _REOPEN_WITHIN, _log_errors)

    def _change_workers(self, change: Callable[[], str], what: str) -> None:
        if self._standing.state != "running":
            LOG.warning(f"{what}: not while the daemon is {self._standing.state}")
            return
        try:
            LOG.info(f"{what}: {change()}")
            self._generation.listeners.keep_in_store()
        except (ValueError, ListenErrors) as error:
            LOG.warning(f"{what}: {error}")

    def _housekeeping(self) -> None:
        self._loop.call_later(_HOUSEKEEPING, self._housekeeping)
        self._children.reap()

    def _summary(self) -> str:
        count = len(self._supervisor.serving)
        return f"{count} workers serve {', '.join(self._generation.listeners.addresses())}"

    def _tell_status(self) -> None:
        if self._standing.state == "running":
            self._notifier.status(self._summary())

    def _private_fds(self) -> list[int]:
        """Every descriptor of the master. A child closes them, but for what it is given."""
        fds = [self._pidfile.fileno(), self._generation.log.fileno(), *self._fleet.fds(), *self._startup.fds()]
        fds += self._generation.listeners.fds()
        for part in (self._control, self._signals, self._reload, self._replacement):
            if part is not None:
                fds += part.fds()
        return [fd for fd in fds if fd > 2]  # noqa: PLR2004  # standard streams stay

    def _give_up(self, error: str, exit_code: int) -> int:
        self._startup.failed(Failed((error,), exit_code))
        self._close()
        return exit_code

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._standing.in_charge:
            self._generation.listeners.close_except(None)
            self._generation.listeners.manager.passed.close()
            self._generation.accept_lock.unlink(missing_ok=True)
        else:  # what is at the paths is another master's
            self._generation.listeners.leave()
            self._pidfile.leave()
        LOG.info("the master ends")
        if self._signals is not None:
            self._signals.close()


def _to_nobody(_: object) -> None:
    """Who asked by a signal hears nothing; the log does."""


def _log_errors(answers: Answers) -> None:
    for error in answers.errors:
        LOG.error(f"reopening the log: {error}")
