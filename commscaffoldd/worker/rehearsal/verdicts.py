"""What is wrong with what the handlers do, in lines."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from commscaffoldd.capture.recording import Step
from commscaffoldd.core.error_text import describe
from commscaffoldd.core.route import Route

SHOWN: Final = 20
"""Errors that are named; more are counted."""
_OURS: Final = __file__.removesuffix("worker/rehearsal/verdicts.py")


class Verdicts:
    """Of one rehearsal.

    Attributes:
        played: messages that handlers have answered, or are done with.
        skipped: messages that were for clients who have logged in, by clients whose login is not in the capture.
    """

    def __init__(self, path: Path) -> None:
        """None yet, of this capture."""
        self._path = path
        self._errors: list[str] = []
        self._found = 0
        self.played = 0
        self.skipped = 0

    @property
    def errors(self) -> list[str]:
        """What is wrong so far, in lines; empty if nothing is."""
        more = [f"and {self._found - SHOWN} more"] if self._found > SHOWN else []
        return self._errors + more

    def fail(self, step: Step, route: Route | None, text: str) -> None:
        """Something is wrong with what has come of a message."""
        self._found += 1
        if self._found <= SHOWN:
            self._errors.append(f"{self.name(step, route)}: {text}")

    def name(self, step: Step, route: Route | None) -> str:
        """A message, in words."""
        whose = f", handler {route.name} of plugin {route.plugin}" if route is not None else ""
        return f"{self._path}: record {step.number}: message ID {step.message.id}{whose}"


def describe_with_place(error: BaseException) -> str:
    """The exception, and where in the plugin it was raised."""
    text = describe(error)
    frames = traceback.extract_tb(error.__traceback__)
    # Ours, which called the handler, come first; a reply of a wrong type is found there, and has no place of its own.
    own = [frame for frame in frames if not frame.filename.startswith(_OURS)]
    return f"{own[-1].filename}:{own[-1].lineno}: {text}" if own else text
