"""What is done before anything is forked, so that what is wrong is told at the terminal at once."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Final

from commscaffoldd.config.schema import Config
from commscaffoldd.core.engine import wanted_engine
from commscaffoldd.log import LogFile, open_log
from commscaffoldd.master.activation import PassedError
from commscaffoldd.master.batch import CONFIGURATION, FAILURE
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.listen_errors import NO_PERMISSION, ListenErrors
from commscaffoldd.master.listeners import ListenerSet
from commscaffoldd.master.pidfile import AlreadyRunning, Pidfile
from commscaffoldd.master.privileges import Identity, PrivilegeError, hand_over, wanted_identity
from commscaffoldd.master.service_manager import ServiceManager

_PATIENCE: Final = 2.0  # seconds that workers of a killed master may need to be gone


class StartRefused(Exception):  # noqa: N818  # an outcome
    """The daemon cannot start: errors for the terminal, what to exit with, and the pid if it runs already."""

    def __init__(self, errors: tuple[str, ...], exit_code: int, pid: int | None = None) -> None:
        self.errors = errors
        self.exit_code = exit_code
        self.pid = pid
        super().__init__("\n".join(errors))


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """All that the master needs and that was opened before it was there."""

    pidfile: Pidfile
    generation: Generation
    identity: Identity | None
    default_log: Path | None
    engine: str

    def fds(self) -> list[int]:
        """Every descriptor among it."""
        return [self.pidfile.fileno(), self.generation.log.fileno(), *self.generation.listeners.fds()]

    @property
    def manager(self) -> ServiceManager:
        """Who has started the daemon, if not a person."""
        return self.generation.listeners.manager

    def leave(self) -> None:
        """Close this process's copies; the daemon has its own."""
        self.pidfile.leave()
        self.generation.log.close()
        for one in self.generation.listeners.sockets():
            one.close()
        self.manager.passed.close()


def prepare(config: Config, default_log: Path | None, inherited: Pidfile | None = None) -> Prepared:
    """Lock the pidfile, open the log and the listeners. Takes what is the service manager's out of `os.environ`.

    `default_log` is where to log if the configuration names no file; None for standard error. `inherited` is a
    pidfile that is locked already, by the master that this one shall replace.
    Raises StartRefused; nothing stays open then.
    """
    run_dir = Path(config.daemon.run_dir)
    try:
        manager = ServiceManager.from_environment(os.environ, os.getpid())
    except PassedError as error:
        raise StartRefused((str(error),), FAILURE) from None
    try:
        engine = wanted_engine()
    except ValueError as error:
        raise StartRefused((str(error),), CONFIGURATION) from None
    try:
        identity = wanted_identity(config.daemon.user, config.daemon.group)
        _make_run_dir(run_dir, identity)
        pidfile = inherited or Pidfile(config.pidfile)
        if inherited is None:
            pidfile.acquire()
    except AlreadyRunning as error:
        raise StartRefused((str(error),), FAILURE, error.pid) from None
    except PrivilegeError as error:
        raise StartRefused((str(error),), FAILURE) from None
    except OSError as error:
        raise _refused("cannot use", error) from None
    try:
        generation = _open(config, pidfile, identity, default_log, manager)
    except BaseException:
        if inherited is None:
            pidfile.release()
        raise
    return Prepared(pidfile, generation, identity, default_log, engine)


def open_configured_log(config: Config, default_log: Path | None) -> LogFile:
    """Open the log that the configuration means. Raises OSError."""
    path = Path(config.log.file) if config.log.file else default_log
    return open_log(path, config.log.level, config.log.format)


def _open(
    config: Config, pidfile: Pidfile, identity: Identity | None, default_log: Path | None, manager: ServiceManager
) -> Generation:
    try:
        log = open_configured_log(config, default_log)
    except OSError as error:
        raise _refused("cannot open the log", error) from None
    try:
        patience = _PATIENCE if pidfile.previous else 0.0
        listeners = ListenerSet.open(config.listen, config.worker_count, patience, manager=manager)
    except ListenErrors as errors:
        log.close()
        raise StartRefused(tuple(map(str, errors.errors)), errors.exit_code) from None
    try:
        if identity is not None:
            hand_over(identity, Path(config.daemon.run_dir), log.fileno() if log.path else None)
            listeners.give_to(identity)
    except OSError as error:
        listeners.close_except(None)
        log.close()
        raise _refused("cannot hand over to the configured user", error) from None
    return Generation(1, config, log, listeners)


def _make_run_dir(run_dir: Path, identity: Identity | None) -> None:
    run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    # In a folder that anybody may write to, anybody could have made it, and could exchange what is in it.
    owner = run_dir.stat().st_uid
    trusted = {0, os.geteuid()} | ({identity.uid} if identity else set())
    if owner not in trusted:
        text = f"cannot use {run_dir}: it belongs to another user (uid {owner}); set daemon.run_dir"
        raise StartRefused((text,), NO_PERMISSION)


def _refused(what: str, error: OSError) -> StartRefused:
    code = NO_PERMISSION if isinstance(error, PermissionError) else FAILURE
    return StartRefused((f"{what} {error.filename}: {error.strerror}",), code)
