"""The master process: puts the parts together, and knows in which state the daemon is."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import random
import signal
from typing import Final, Protocol

from commscaffoldd.core.counters import Statistics
from commscaffoldd.master.batch import FAILURE, Batch, BatchResult
from commscaffoldd.master.canary_watch import CanaryCode
from commscaffoldd.master.capture import Captures
from commscaffoldd.master.children import Children
from commscaffoldd.master.commands import Commands
from commscaffoldd.master.control import ControlServer
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.handover import Handovers
from commscaffoldd.master.hung import HungWatch
from commscaffoldd.master.listen_errors import NO_PERMISSION
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.manager_reports import ManagerReports
from commscaffoldd.master.operations import MasterOperations
from commscaffoldd.master.pidfile import Pidfile
from commscaffoldd.master.prepare import Prepared
from commscaffoldd.master.privileges import PrivilegeError, drop, without_effect
from commscaffoldd.master.questions import Questions
from commscaffoldd.master.readiness import Failed, Ready
from commscaffoldd.master.recycling import Recycling
from commscaffoldd.master.renewal import Renewal
from commscaffoldd.master.replacement import Replacement
from commscaffoldd.master.retirement import Retirements
from commscaffoldd.master.rows import ROWS, Rows
from commscaffoldd.master.service_watchdog import ServiceWatchdog, watchdog_interval
from commscaffoldd.master.signal_commands import SignalCommands
from commscaffoldd.master.signals import Signals
from commscaffoldd.master.spawn import RunWorker, Spawner
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.status import StatusReport
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.takeover import Takeover
from commscaffoldd.master.title import set_title
from commscaffoldd.master.workers import Fleet, State, Worker

LOG = logging.getLogger(__name__)

_HOUSEKEEPING: Final = 1.0  # seconds; a child's signal can be lost (a full wakeup socket), its end must not be


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
        self._startup = startup
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
            lambda: self._reports.workers_changed(),  # noqa: PLW0108  # they are made below
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
        self._reports = ManagerReports(self._notifier, self._watchdog, self._standing, self._supervisor)
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
            default_log=prepared.default_log,
        )
        self._renewal = Renewal(
            loop=self._loop,
            children=self._children,
            fleet=self._fleet,
            standing=self._standing,
            supervisor=self._supervisor,
            retirements=self._retirements,
            reports=self._reports,
            canary_code=code.canary,
            default_log=prepared.default_log,
            private_fds=self._private_fds,
        )
        self._operations = MasterOperations(
            loop=self._loop,
            fleet=self._fleet,
            handovers=self._handovers,
            standing=self._standing,
            supervisor=self._supervisor,
            retirements=self._retirements,
            reports=self._reports,
            renewal=self._renewal,
            replacement=self._replacement,
            status_report=StatusReport(self._fleet, self._rows, prepared.engine),
            abort_start=self._abort_start,
        )
        self._signal_commands = SignalCommands(
            self._operations, self._standing, self._supervisor, self._fleet, self._questions
        )
        self._hung_watch = HungWatch(self._loop, self._fleet, self._children)
        self._exit_code = 0
        self._takeover = takeover
        self._starting: Batch | None = None
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
            {**self._signal_commands.by_signal(), signal.SIGCHLD: self._children.reap},
        )
        self._housekeeping()
        self._recycling.start()
        self._hung_watch.start()

    def _start(self) -> None:
        config = self._generation.config
        if warning := without_effect(config.daemon.user, config.daemon.group):
            LOG.warning(warning)
        self._generation.listeners.warn_of_unused()
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
        listening = self._generation.listeners.addresses()
        LOG.info(f"ready: {len(result.workers)} workers serve {', '.join(listening)}")
        if self._takeover is None:
            self._standing.state = "running"
            self._reports.in_charge()
        else:
            self._standing.state = "taking over"
        pids = tuple(worker.pid for worker in result.workers)
        self._startup.ready(Ready(os.getpid(), listening, pids, self._generation.listeners.layouts()))

    # An upgrade, as the new master: takeover.Charge

    def take_charge(self) -> str:
        """Be the daemon's master from now on; says what went wrong, or nothing."""
        if self._standing.state != "taking over":
            return "the new master has been told to stop before it was in charge"
        try:
            self._open_control()
            self._pidfile.write()
        except OSError as error:
            return f"cannot open {error.filename or self._generation.config.control_socket}: {error.strerror}"
        self._standing.state = "running"
        self._standing.in_charge = True
        LOG.info("this master is in charge now")
        self._reports.in_charge()
        return ""

    def give_up(self) -> None:
        """End, with all workers: nobody relies on them yet."""
        self._standing.in_charge = False
        self._exit_code = FAILURE
        self._operations.stop_now(_to_nobody)

    def serving(self) -> list[Worker]:
        """The workers that can take connections."""
        return [worker for worker in self._supervisor.serving.values() if worker.state is State.READY]

    def add_totals(self, totals: dict[str, int]) -> None:
        """Go on counting from these."""
        self._rows.add(totals)

    def _open_control(self) -> None:
        commands = Commands(self._operations, self._fleet, self._questions, self._captures, os.getpid())
        self._control = ControlServer(self._loop, self._generation.config.control_socket, commands.handle)

    def _worker_gone(self, worker: Worker) -> None:
        self._questions.gone(worker)
        self._handovers.gone(worker)
        self._operations.worker_gone()

    def _abort_start(self, reason: str) -> None:
        if self._starting is not None:
            self._starting.abort(reason)

    def _housekeeping(self) -> None:
        self._loop.call_later(_HOUSEKEEPING, self._housekeeping)
        self._children.reap()

    def _private_fds(self) -> list[int]:
        """Every descriptor of the master. A child closes them, but for what it is given."""
        fds = [self._pidfile.fileno(), self._generation.log.fileno(), *self._fleet.fds(), *self._startup.fds()]
        fds += self._generation.listeners.fds()
        for part in (self._control, self._signals, self._renewal, self._replacement):
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
    """Nobody has asked."""
