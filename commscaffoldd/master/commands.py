"""What can be asked for at the control socket."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.master.answers import MoveAnswer, ReloadAnswer, UpgradeAnswer
from commscaffoldd.master.capture import Captures
from commscaffoldd.master.control import ControlRequest
from commscaffoldd.master.handover import Outcome
from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.questions import Answers, Questions
from commscaffoldd.master.rows import MAX_WORKERS
from commscaffoldd.master.status import quarantined_by
from commscaffoldd.master.workers import Fleet, State, Worker
from commscaffoldd.version import __version__

MAX_ROWS: Final = 10_000  # connections in one answer
_ANSWER_WITHIN: Final = 5.0  # seconds


class Operations(Protocol):
    """What the master does on request."""

    def status(self) -> JsonObject:
        """The status."""

    def stop(self, timeout: float | None, progress: Callable[[str], None]) -> None:
        """Stop; None: as long as is configured."""

    def stop_now(self, progress: Callable[[str], None]) -> None:
        """Stop at once."""

    def reload(
        self, progress: Callable[[str], None], done: Callable[[ReloadAnswer], None], replay: Path | None = None
    ) -> None:
        """Reload; the canary plays this capture first, if there is one."""

    def scale(self, count: int, progress: Callable[[str], None], done: Callable[[str], None]) -> None:
        """Have so many workers."""

    def rebalance(self, progress: Callable[[str], None], done: Callable[[Outcome], None]) -> None:
        """Even the workers' connections out."""

    def upgrade(self, progress: Callable[[str], None], done: Callable[[UpgradeAnswer], None]) -> None:
        """Execute the installed program anew."""

    def reopen_log(self) -> str:
        """Reopen the master's log; returns what went wrong, or an empty text."""


class Commands:
    """Answers control requests, with the master's help and the workers'."""

    def __init__(
        self, operations: Operations, fleet: Fleet, questions: Questions, captures: Captures, pid: int
    ) -> None:
        self._operations = operations
        self._fleet = fleet
        self._questions = questions
        self._pid = pid
        self._commands: dict[str, Callable[[ControlRequest], None]] = {
            "status": self._status,
            "stop": self._stop,
            "reload": self._reload,
            "upgrade": self._upgrade,
            "scale": self._scale,
            "rebalance": self._rebalance,
            "reopen": self._reopen,
            "connections": self._connections,
            "routes": self._routes,
            "timers": self._timers,
            "release": self._release,
            "capture": captures.begin,
        }

    def handle(self, request: ControlRequest) -> None:
        """Answer a request, now or later."""
        command = self._commands.get(request.command)
        if command is None:
            known = ", ".join(self._commands)
            request.fail([f"there is no command {request.command!r}; there are: {known}"])
        else:
            command(request)

    def _status(self, request: ControlRequest) -> None:
        request.answer(status=self._operations.status())

    def _stop(self, request: ControlRequest) -> None:
        timeout = request.message.get("timeout")
        if timeout is not None and not _is_seconds(timeout):
            request.fail([f"timeout is {timeout!r}; allowed: seconds from 0, or null"])
            return
        request.answer_and_stay(pid=self._pid)
        if request.message.get("now"):
            self._operations.stop_now(request.progress)
        else:
            self._operations.stop(None if timeout is None else float(timeout), request.progress)

    def _reload(self, request: ControlRequest) -> None:
        replay = request.message.get("replay")
        if replay is not None and not (isinstance(replay, str) and replay.startswith("/")):
            request.fail([f"replay is {replay!r}; allowed: the absolute path of a capture"])
            return

        def done(result: ReloadAnswer) -> None:
            _tell(request, result, workers=result.new_pids, retiring=result.old_pids)

        self._operations.reload(request.progress, done, None if replay is None else Path(replay))

    def _upgrade(self, request: ControlRequest) -> None:
        old = {"old_pid": self._pid, "old_version": __version__}

        def done(result: UpgradeAnswer) -> None:
            _tell(request, result, pid=result.pid, version=result.version, **old)

        self._operations.upgrade(request.progress, done)

    def _scale(self, request: ControlRequest) -> None:
        count = request.message.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_WORKERS:
            request.fail([f"count is {count!r}; allowed: an integer from 1 to {MAX_WORKERS}"])
            return

        def done(error: str) -> None:
            if error:
                request.fail([error])
            else:
                request.answer(workers=count)

        self._operations.scale(count, request.progress, done)

    def _rebalance(self, request: ControlRequest) -> None:
        def done(outcome: Outcome) -> None:
            _tell(request, MoveAnswer(connections=outcome))

        self._operations.rebalance(request.progress, done)

    def _reopen(self, request: ControlRequest) -> None:
        own = self._operations.reopen_log()

        def done(answers: Answers) -> None:
            errors = ([own] if own else []) + answers.errors
            if errors:
                request.fail(errors)
            else:
                request.answer()

        self._questions.ask(self._fleet.living, "reopen", _ANSWER_WITHIN, done)

    def _connections(self, request: ControlRequest) -> None:
        def done(answers: Answers) -> None:
            if answers.errors and not answers.answered:
                request.fail(answers.errors)
                return
            rows: list[JsonObject] = []
            cut_off = False
            for worker, message in answers.answered:
                rows.extend({"worker": worker.number, **row} for row in message.get("connections") or ())
                cut_off = cut_off or bool(message.get("truncated"))
            request.answer(
                connections=rows[:MAX_ROWS],
                truncated=cut_off or len(rows) > MAX_ROWS,
                errors=answers.errors,
            )

        self._questions.ask(_able(self._fleet.living), "connections", _ANSWER_WITHIN, done)

    def _routes(self, request: ControlRequest) -> None:
        """All workers of a generation have the same, so one is asked; what is quarantined all have told before."""

        def done(answers: Answers) -> None:
            if answers.answered:
                routes = answers.answered[0][1].get("routes") or []
                quarantined = quarantined_by(self._fleet.living)
                for route in routes:
                    route["quarantined"] = [row for row in quarantined if row["id"] == route.get("id")]
                request.answer(routes=routes)
            else:
                request.fail(answers.errors or ["no worker is ready"])

        ready = [worker for worker in self._fleet.living if worker.state is State.READY]
        newest = sorted(ready, key=lambda worker: (-worker.generation.number, worker.number))
        self._questions.ask(newest[:1], "routes", _ANSWER_WITHIN, done)

    def _timers(self, request: ControlRequest) -> None:
        def done(answers: Answers) -> None:
            if answers.errors and not answers.answered:
                request.fail(answers.errors)
                return
            rows = [
                {"worker": worker.number, **row}
                for worker, message in answers.answered
                for row in message.get("timers") or ()
            ]
            request.answer(timers=rows, errors=answers.errors)

        ready = [worker for worker in self._fleet.living if worker.state is State.READY]
        self._questions.ask(ready, "timers", _ANSWER_WITHIN, done)

    def _release(self, request: ControlRequest) -> None:
        message_id = request.message.get("id")
        if not isinstance(message_id, int) or isinstance(message_id, bool):
            request.fail([f"id is {message_id!r}; allowed: a message ID"])
            return

        def done(answers: Answers) -> None:
            released = sorted(worker.number for worker, message in answers.answered if message.get("released"))
            if released:
                request.answer(released=released, errors=answers.errors)
            else:
                request.fail(answers.errors or [f"message ID {message_id} is not quarantined in any worker"])

        self._questions.ask(_able(self._fleet.living), "release", _ANSWER_WITHIN, done, id=message_id)


def _tell(request: ControlRequest, answer: MoveAnswer, **more: object) -> None:
    """Say what became of the connections, and more; or only what went wrong."""
    if answer.errors:
        request.fail(answer.errors, answer.exit_code)
    else:
        request.answer(**more, moved=answer.connections.moved, kept=dict(answer.connections.kept))


def _able(workers: Iterable[Worker]) -> list[Worker]:
    """Those that have connections and can tell."""
    return [worker for worker in workers if worker.state is not State.STARTING]


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
