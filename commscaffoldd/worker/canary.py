"""The canary: a throw-away worker that loads configuration and plugins before anybody relies on them.

It is forked, so that nothing it imports, changes or breaks reaches the process that asks. It serves nobody. If it
is told to it plays a capture through the handlers, with an event loop for those that are asynchronous; else it starts
no threads of ours.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct, field

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import parse, read_text
from commscaffoldd.log import LogFile
from commscaffoldd.plugin.causes import log_causes
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.worker.catalogue import catalogue_of
from commscaffoldd.worker.plugins import load_host
from commscaffoldd.worker.rehearsal.performance import Performed, Programme, perform
from commscaffoldd.worker.signals import reset_signals
from commscaffoldd.worker.views import describe_routes

logger = logging.getLogger(__name__)


class CanaryReport(Struct, frozen=True):
    """What a canary found.

    Attributes:
        ok: whether a worker could start with this.
        errors: complete lines for a terminal.
        routes: as `describe_routes` gives them.
        catalogue: of what a worker would serve, as `Catalogue.to_builtins` gives it.
        config_text: the configuration file as the canary read it; what has been checked is what is then used.
        replayed: messages of a capture that were played through the handlers.
        skipped: messages that could not be: their clients' logins are not in the capture.
    """

    ok: bool
    errors: list[str] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    catalogue: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    replayed: int = 0
    skipped: int = 0


class Canary(Struct, frozen=True):
    """A running canary. Whoever forked it reads `fd` to its end, closes it, and waits for `pid`."""

    pid: int
    fd: int

    def timed_out(self) -> CanaryReport:
        """The report on a canary that took too long and was killed."""
        return CanaryReport(
            ok=False,
            errors=[
                (
                    "loading configuration and plugins took longer than daemon.start_timeout: "
                    "does a plugin wait for something at import, in create_plugin or in self_test?"
                )
            ],
        )


def fork_canary(
    path: Path, log: LogFile, close_fds: Iterable[int], replay: Path | None = None, timeout: float = 0.0
) -> Canary:
    """Fork a canary for the configuration at `path`. The caller must have no threads.

    Args:
        path: the configuration file.
        log: where plugins' own log lines go.
        close_fds: descriptors of the caller's that the canary must not hold open.
        replay: a capture to play through the handlers.
        timeout: seconds after which the caller will kill the canary; needed with a capture.

    Raises:
        OSError: no pipe or no process could be made.
    """
    read_end, write_end = os.pipe()
    sys.stdout.flush()  # else both processes would write what is still buffered
    sys.stderr.flush()
    try:
        pid = os.fork()
    except OSError:
        os.close(read_end)
        os.close(write_end)
        raise
    if pid == 0:
        programme = None if replay is None else Programme(replay, timeout, time.monotonic())
        _be_canary(path, log, [*close_fds, read_end], write_end, programme)
    os.close(write_end)
    return Canary(pid, read_end)


def read_report(data: bytes, wait_status: int) -> CanaryReport:
    """The report that a canary wrote, or one on how it ended without one.

    Args:
        data: all that it wrote.
        wait_status: how it ended, as waitpid gives it.
    """
    if data.endswith(b"\n"):
        content = json.loads(data)
        return CanaryReport(**content)
    code = os.waitstatus_to_exitcode(wait_status)
    if code < 0:
        how = f"killed by signal {-code} ({_signal_name(-code)})"
    else:
        how = f"ended by itself, with exit code {code}"
    return CanaryReport(
        ok=False,
        errors=[f"while configuration and plugins were loaded the process was {how}: does a plugin end it?"],
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return "no name"


def _be_canary(
    path: Path, log: LogFile, close_fds: Iterable[int], write_end: int, programme: Programme | None
) -> NoReturn:
    try:
        reset_signals()
        for fd in close_fds:
            os.close(fd)
        log.set_role("canary")
        report = _Report(write_end)
        report.give(_rehearse(path, programme, report.give))
    except BaseException:
        logger.exception("the canary ended by an unexpected error: please report this")
        os._exit(1)


class _Report:
    """Writes the report, and ends the process. Whoever comes first, of two threads perhaps, is heard."""

    def __init__(self, write_end: int) -> None:
        self._write_end = write_end
        self._once = threading.Lock()

    def give(self, report: dict[str, Any]) -> NoReturn:
        """Write and end. Any thread."""
        with self._once:  # for good
            with os.fdopen(self._write_end, "wb") as pipe:
                pipe.write(json.dumps(report).encode() + b"\n")
            os._exit(0)


def _rehearse(
    path: Path, programme: Programme | None, too_late: Callable[[dict[str, Any]], NoReturn]
) -> dict[str, Any]:
    """Do what a worker does before it serves; returns a `CanaryReport` as a dict."""
    try:
        text = read_text(path)
        config = parse(text, path)
        host = load_host(config)
        host.self_test()
        performed = Performed([])
        if programme is not None:
            performed = perform(
                programme, config, host, time.monotonic(), lambda late: too_late(_refuse(late.errors))
            )
    except ConfigErrors as errors:
        return _refuse([str(error) for error in errors.errors])
    except PluginErrors as errors:
        log_causes(errors.errors)
        return _refuse([str(error) for error in errors.errors])
    if performed.errors:
        return _refuse(performed.errors)
    return {
        "ok": True,
        "routes": describe_routes(host, config.business.handler_timeout),
        "catalogue": catalogue_of(config, host).to_builtins(),
        "config_text": text,
        "replayed": performed.played,
        "skipped": performed.skipped,
    }


def _refuse(errors: list[str]) -> dict[str, Any]:
    return {"ok": False, "errors": errors}
