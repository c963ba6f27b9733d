"""A reload: canary, then new workers, then it is done; until the last moment nothing has changed.

CANARY     a throw-away process loads configuration and plugins. It fails, dies or hangs: refused.
   |
STARTING   new listeners and the new log are opened, the new workers start. One fails: all of it is undone.
   |
done       the master puts the new workers in charge, and the old ones retire.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import parse
from commscaffoldd.config.overrides import with_overrides
from commscaffoldd.config.schema import Config
from commscaffoldd.log import LogFile
from commscaffoldd.master.batch import CONFIGURATION, FAILURE, Batch, BatchResult
from commscaffoldd.master.canary_watch import CanaryCode, CanaryWatch, Report
from commscaffoldd.master.children import Children
from commscaffoldd.master.generation import Generation, same_log
from commscaffoldd.master.listen_errors import ListenErrors
from commscaffoldd.master.listeners import ListenerSet
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.workers import Fleet, Worker

LOG = logging.getLogger(__name__)

_NEED_RESTART: Final = ("run_dir", "user", "group")


@dataclasses.dataclass(frozen=True, slots=True)
class ReloadResult:
    """The new generation and its workers, all ready; or errors, and everything is as before."""

    generation: Generation | None
    workers: tuple[Worker, ...] = ()
    errors: tuple[str, ...] = ()
    exit_code: int = 0


class OpenLog(Protocol):
    """Opens the log that a configuration means."""

    def __call__(self, config: Config) -> LogFile:
        """Raises OSError."""


class Reload:
    """One reload. `done` is called once, with what came of it."""

    def __init__(
        self,
        *,
        loop: Loop,
        children: Children,
        fleet: Fleet,
        before: Generation,
        canary_code: CanaryCode,
        open_log: OpenLog,
        replay: Path | None,
        progress: Callable[[str], None],
        done: Callable[[ReloadResult], None],
    ) -> None:
        self._fleet = fleet
        self._before = before
        self._open_log = open_log
        self._replay = replay
        self._progress = progress
        self._done = done
        self._canary = CanaryWatch(loop, children, canary_code, self._judged)
        self._batch: Batch | None = None
        self._new: Generation | None = None
        self._aborted = ""

    def start(self, close_fds: Iterable[int]) -> None:
        """Send the canary ahead. `close_fds`: the master's descriptors, none of which are the canary's business."""
        also = f", and playing {self._replay} through it" if self._replay is not None else ""
        self._progress(f"checking configuration and plugins in a canary{also}")
        config = self._before.config
        try:
            timeout = config.daemon.start_timeout
            self._canary.start(config.path, self._before.log, close_fds, timeout, self._replay)
        except OSError as error:
            self._refuse((f"the canary cannot be forked: {error.strerror}",), FAILURE)

    def abort(self, reason: str) -> None:
        """Give up: `done` follows with this reason."""
        self._aborted = reason
        if self._batch is not None:
            self._batch.abort(reason)
        else:
            self._canary.kill()

    def fds(self) -> list[int]:
        """The descriptors that a forked child has to close, unless they are its own."""
        fds = self._canary.fds()
        if self._new is not None:
            fds += [one.fileno() for one in self._new.listeners.sockets()]
            fds.append(self._new.log.fileno())
        return fds

    def _judged(self, report: Report) -> None:
        if self._aborted:
            self._refuse((self._aborted,), FAILURE)
        elif not report.ok:
            self._refuse(tuple(report.errors), CONFIGURATION)
        else:
            if self._replay is not None:
                self._progress(_describe_rehearsal(report))
            self._prepare(report.config_text)

    def _prepare(self, text: str) -> None:
        """What the canary has checked is what is used, even if the file has changed since."""
        try:
            before = self._before.config
            config = with_overrides(parse(text, before.path), before.overrides)
        except ConfigErrors as found:
            self._refuse(tuple(map(str, found.errors)), CONFIGURATION)
            return
        errors = tuple(_needs_restart(self._before.config, config))
        if errors:
            self._refuse(errors, CONFIGURATION)
            return
        try:
            listeners = ListenerSet.open(config.listen, config.worker_count, 0.0, self._before.listeners)
        except ListenErrors as error:
            self._refuse(tuple(map(str, error.errors)), error.exit_code)
            return
        try:
            log = self._before.log if same_log(self._before.config, config) else self._open_log(config)
        except OSError as error:
            listeners.close_except(self._before.listeners)
            self._refuse((f"cannot open the log {error.filename}: {error.strerror}",), FAILURE)
            return
        self._new = Generation(self._before.number + 1, config, log, listeners)
        self._progress(f"the canary found nothing wrong; starting {config.worker_count} workers")
        slots = range(1, config.worker_count + 1)
        self._batch = Batch(self._fleet, self._new, slots, self._progress, self._started)
        self._batch.start()

    def _started(self, result: BatchResult) -> None:
        assert self._new is not None
        if result.errors:
            self._undo(self._new)
            self._refuse(result.errors, result.exit_code)
        else:
            self._done(ReloadResult(self._new, result.workers))

    def _undo(self, new: Generation) -> None:
        self._new = None
        new.listeners.close_except(self._before.listeners)
        if new.log is not self._before.log:
            new.log.close()

    def _refuse(self, errors: tuple[str, ...], exit_code: int) -> None:
        self._done(ReloadResult(None, (), errors or ("no reason was given",), exit_code))


def _describe_rehearsal(report: Report) -> str:
    played = f"its handlers have answered {report.replayed} messages"
    if not report.skipped:
        return played
    return f"{played}; {report.skipped} need a login that is not in the capture, and were not played"


def _needs_restart(before: Config, after: Config) -> Iterable[str]:
    for key in _NEED_RESTART:
        old, new = getattr(before.daemon, key), getattr(after.daemon, key)
        if old != new:
            yield f"{after.path}: daemon.{key}: {old!r} cannot become {new!r} by a reload; a restart can do that"
