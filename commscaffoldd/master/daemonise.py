"""Becoming a daemon, or staying in the foreground: the two ways into the master."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final, NoReturn

from daemon import DaemonContext

from commscaffoldd.config.schema import Config
from commscaffoldd.master.batch import FAILURE
from commscaffoldd.master.master import Master, WorkerCode
from commscaffoldd.master.prepare import Prepared, StartRefused, prepare
from commscaffoldd.master.readiness import Announcer, Failed, Outcome, Ready, readiness_pipe
from commscaffoldd.master.takeover import Check, prepare_takeover
from commscaffoldd.worker import canary
from commscaffoldd.worker.process import run_worker

LOG = logging.getLogger(__name__)

UMASK: Final = 0o027
_MARGIN: Final = 10.0  # seconds over start_timeout, within which the master itself says that it failed

__all__ = ["LaunchResult", "Ready", "launch_daemon", "run_foreground"]


@dataclasses.dataclass(frozen=True, slots=True)
class LaunchResult:
    """What became of a start.

    Attributes:
        exit_code: what the command should end with.
        pid: the master's; of the one that runs already, if that is why this start failed.
        errors: complete lines for the terminal.
        listening: addresses with their real ports.
        workers: the workers' pids.
        layouts: the header layout that is spoken at each address.
        log: the file that the daemon logs to.
    """

    ok: bool
    exit_code: int
    pid: int | None
    errors: tuple[str, ...]
    listening: tuple[str, ...] = ()
    workers: tuple[int, ...] = ()
    log: Path | None = None
    layouts: tuple[str, ...] = ()


def worker_code() -> WorkerCode:
    """What a daemon's children run."""
    return WorkerCode(run_worker, canary)


def launch_daemon(config: Config, code: WorkerCode | None = None) -> LaunchResult:
    """Start the daemon in the background; returns when every worker is ready or the start has failed.

    The calling process must have no threads, since it forks. It stays what it is: only its child becomes the daemon.
    Takes at most `start_timeout` and a few seconds. `code` replaces what the children run.
    """
    _have_standard_streams()
    try:
        prepared = prepare(config, Path(config.daemon.run_dir) / "commscaffoldd.log")
    except StartRefused as refused:
        return LaunchResult(ok=False, exit_code=refused.exit_code, pid=refused.pid, errors=refused.errors)
    log = prepared.generation.log.path
    waiter, announcer = readiness_pipe()
    # python-daemon ends its parents by _exit, which writes no buffers; and the child must not write them again
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        waiter.close()
        _daemon(prepared, announcer, code or worker_code())
    announcer.close()
    prepared.leave()
    try:
        outcome = waiter.wait(config.daemon.start_timeout + _MARGIN)
    except BaseException:
        _terminate(waiter.pid)  # Ctrl-C at a start means: do not start
        raise
    finally:
        waiter.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)  # python-daemon's first parent, which has long ended
    return _result(outcome, log, config.daemon.start_timeout)


def run_foreground(
    config: Config,
    on_ready: Callable[[Ready], None],
    on_failed: Callable[[tuple[str, ...]], None],
    code: WorkerCode | None = None,
) -> int:
    """Run the master in this process until it is told to stop; returns the exit code.

    `on_ready` is called when every worker is ready, `on_failed` with lines for the terminal if that cannot be. The
    calling process must have no threads. Signal handlers are put back afterwards, the umask is not.
    """
    _have_standard_streams()
    os.umask(UMASK)
    try:
        prepared = prepare(config, None)
    except StartRefused as refused:
        on_failed(refused.errors)
        return refused.exit_code
    master = Master(prepared, _Callbacks(on_ready, on_failed), code or worker_code())
    try:
        with prepared.pidfile:
            return master.run()
    finally:
        master.close_log()
        master.farewell()


def run_takeover(environment: MutableMapping[str, str], check: Check) -> int:
    """Run the master that another one has executed to replace it; returns the exit code.

    `check` loads configuration and plugins in a canary. Raises KeyError if nobody has executed this.
    """
    os.umask(UMASK)
    made = prepare_takeover(environment, check)
    if isinstance(made, int):
        return made
    prepared, takeover, first = made
    master = Master(prepared, takeover, worker_code(), takeover, first)
    try:
        return master.run()
    finally:
        prepared.pidfile.release()  # nothing, if another master has the charge
        master.close_log()
        master.farewell()


class _Callbacks:
    """Startup, told to the process itself."""

    def __init__(self, on_ready: Callable[[Ready], None], on_failed: Callable[[tuple[str, ...]], None]) -> None:
        self._on_ready = on_ready
        self._on_failed = on_failed

    def ready(self, word: Ready) -> None:
        self._on_ready(word)

    def failed(self, word: Failed) -> None:
        self._on_failed(word.errors)

    def fds(self) -> list[int]:
        return []


class _Announcement:
    """Startup, told through the pipe to the command that waits; and to the log, for a later reader."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def ready(self, word: Ready) -> None:
        self._announcer.announce(word)

    def failed(self, word: Failed) -> None:
        for error in word.errors:
            LOG.error(f"the start failed: {error}")
        self._announcer.announce(word)

    def fds(self) -> list[int]:
        return [self._announcer.fileno()]


def _daemon(prepared: Prepared, announcer: Announcer, code: WorkerCode) -> NoReturn:
    """The forked child: becomes the daemon and runs the master. It must never return into the command."""
    exit_code = FAILURE
    try:
        _rebind_standard_streams()
        context = DaemonContext(
            working_directory="/",
            umask=UMASK,
            detach_process=True,  # else python-daemon guesses
            files_preserve=[*prepared.fds(), announcer.fileno()],
            signal_map={},  # the master sets its own
            pidfile=prepared.pidfile,
        )
        context.open()
        announcer.started()
        master = Master(prepared, _Announcement(announcer), code)
        exit_code = master.run()
        context.close()
    except BaseException as error:  # nobody else would ever see it
        LOG.exception("the master ended by an unexpected error")
        text = f"unexpected {type(error).__name__} in the master: {error}"
        announcer.announce(Failed((text,), FAILURE))
    finally:
        # Control clients that wait for the end see it now, with everything else gone already.
        os._exit(exit_code)


def _result(outcome: Outcome, log: Path | None, start_timeout: float) -> LaunchResult:
    match outcome.word:
        case Ready(pid, listening, workers, layouts):
            return LaunchResult(
                ok=True,
                exit_code=0,
                pid=pid,
                errors=(),
                listening=listening,
                workers=workers,
                log=log,
                layouts=layouts,
            )
        case Failed(errors, exit_code):
            return LaunchResult(ok=False, exit_code=exit_code, pid=None, errors=errors, log=log)
    if outcome.timed_out:
        _terminate(outcome.pid)
        text = f"the daemon was not ready {_MARGIN:g} s after start_timeout ({start_timeout:g} s) had passed"
    else:
        text = "the daemon ended before it was ready"
    return LaunchResult(ok=False, exit_code=FAILURE, pid=None, errors=(f"{text}; its log is {log}",), log=log)


def _terminate(pid: int | None) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def _have_standard_streams() -> None:
    """A process may be started with 0, 1 or 2 closed: then what is opened next would be taken for a terminal."""
    for wanted in range(3):
        try:
            os.fstat(wanted)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number, which is the missing one
    if None in {sys.stdin, sys.stdout, sys.stderr}:
        _rebind_standard_streams()


def _rebind_standard_streams() -> None:
    """python-daemon asks the streams for their numbers; some are None, or stand-ins without a number."""
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  # stays open for life
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
