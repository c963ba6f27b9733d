"""Questions to workers, and their answers as they come: from all, from some, or too late."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable

from commscaffoldd.master.lines import JsonObject
from commscaffoldd.master.loop import Loop, Timer
from commscaffoldd.master.workers import Worker


@dataclasses.dataclass(slots=True)
class Answers:
    """What came back: a message for each worker that answered, a text for each that did not."""

    answered: list[tuple[Worker, JsonObject]] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class _Question:
    waiting: dict[int, Worker]
    answers: Answers
    done: Callable[[Answers], None]
    timer: Timer | None = None


class Questions:
    """Sends a command to workers and gathers the answers."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._numbers = itertools.count(1)
        self._open: dict[int, _Question] = {}

    def ask(
        self,
        workers: Iterable[Worker],
        command: str,
        timeout: float,
        done: Callable[[Answers], None],
        **arguments: object,
    ) -> None:
        """Ask, and call `done` once: when all have answered or ended, or after `timeout` seconds."""
        number = next(self._numbers)
        question = _Question({worker.pid: worker for worker in workers}, Answers(), done)
        self._open[number] = question
        question.timer = self._loop.call_later(timeout, lambda: self._give_up(number, timeout))
        for worker in list(question.waiting.values()):
            worker.send({"command": command, "request": number, **arguments})
        self._finish_if_complete(number)

    def answered(self, worker: Worker, message: JsonObject) -> None:
        """An answer has come; one to a question that was given up is forgotten."""
        number = message.get("request")
        question = self._open.get(number) if isinstance(number, int) else None
        if number is None or question is None or question.waiting.pop(worker.pid, None) is None:
            return
        if "error" in message:
            question.answers.errors.append(f"{worker}: {message['error']}")
        else:
            question.answers.answered.append((worker, message))
        self._finish_if_complete(number)

    def gone(self, worker: Worker) -> None:
        """A worker has ended and will answer nothing more."""
        for number, question in list(self._open.items()):
            if question.waiting.pop(worker.pid, None) is not None:
                question.answers.errors.append(f"{worker} ended before it answered")
                self._finish_if_complete(number)

    def _give_up(self, number: int, timeout: float) -> None:
        question = self._open[number]
        question.answers.errors.extend(
            f"{worker} did not answer within {timeout:g} s" for worker in question.waiting.values()
        )
        question.waiting.clear()
        self._finish_if_complete(number)

    def _finish_if_complete(self, number: int) -> None:
        question = self._open.get(number)
        if question is not None and not question.waiting:
            del self._open[number]
            if question.timer is not None:
                question.timer.cancel()
            question.done(question.answers)
