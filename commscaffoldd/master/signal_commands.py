"""What can be asked for by signals. A signal cannot be answered: the log says what came of it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from typing import Final

from commscaffoldd.master.commands import Operations
from commscaffoldd.master.listen_errors import ListenErrors
from commscaffoldd.master.questions import Answers, Questions
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet

LOG = logging.getLogger(__name__)

_REOPEN_WITHIN: Final = 5.0  # seconds for the workers to answer


class SignalCommands:
    """Obeys signals, with the master's help and the workers'."""

    def __init__(
        self,
        operations: Operations,
        standing: Standing,
        supervisor: Supervisor,
        fleet: Fleet,
        questions: Questions,
    ) -> None:
        self._operations = operations
        self._standing = standing
        self._supervisor = supervisor
        self._fleet = fleet
        self._questions = questions

    def by_signal(self) -> Mapping[signal.Signals, Callable[[], None]]:
        """What to call for which signal."""
        return {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._terminate,
            signal.SIGQUIT: lambda: self._operations.stop_now(_to_nobody),
            signal.SIGUSR1: self._reopen,
            signal.SIGUSR2: lambda: self._operations.reload(LOG.info, _to_nobody),
            signal.SIGTTIN: lambda: self._change_workers(self._supervisor.grow, "one worker more"),
            signal.SIGTTOU: lambda: self._change_workers(self._supervisor.shrink, "one worker fewer"),
        }

    def _terminate(self) -> None:
        if self._standing.state == "stopping":
            self._operations.stop_now(_to_nobody)
        else:
            self._operations.stop(None, _to_nobody)

    def _reopen(self) -> None:
        self._operations.reopen_log()
        self._questions.ask(self._fleet.living, "reopen", _REOPEN_WITHIN, _log_errors)

    def _change_workers(self, change: Callable[[], str], what: str) -> None:
        if self._standing.state != "running":
            LOG.warning(f"{what}: not while the daemon is {self._standing.state}")
            return
        try:
            LOG.info(f"{what}: {change()}")
            self._supervisor.generation.listeners.keep_in_store()
        except (ValueError, ListenErrors) as error:
            LOG.warning(f"{what}: {error}")


def _to_nobody(_: object) -> None:
    """Who asked hears nothing; the log does."""


def _log_errors(answers: Answers) -> None:
    for error in answers.errors:
        LOG.error(f"reopening the log: {error}")
