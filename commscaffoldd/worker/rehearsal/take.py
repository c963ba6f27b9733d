"""A take: one recorded message, as it is handled in a rehearsal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.capture.recording import Step
from commscaffoldd.core.endpoint import BAD_BODY, REFUSED, TIMED_OUT
from commscaffoldd.core.login import login_first
from commscaffoldd.core.route import Route
from commscaffoldd.worker.rehearsal.then import Then
from commscaffoldd.worker.rehearsal.verdicts import Verdicts, describe_with_place
from commscaffoldd.worker.socketless.handling import Message

LISTENS: Final = 1.0
"""Seconds in which a client takes more replies than were recorded, if no other handler can run meanwhile."""


class Take:
    """An `Outcome` that judges. `replied` is called by any thread, all else by the rehearsal's.

    Attributes:
        step: what was recorded.
        route: its handler.
        then: what came of it when it was recorded.
        allowed: the handler's timeout in seconds; 0: none.
        replies: how many there have been.
        done: nothing more comes.
    """

    def __init__(
        self,
        step: Step,
        route: Route,
        then: Then,
        allowed: float,
        verdicts: Verdicts,
        changed: Callable[[Take], None],
    ) -> None:
        """Not begun yet.

        Args:
            step: see `Take`.
            route: see `Take`.
            then: see `Take`.
            allowed: see `Take`.
            verdicts: hear what is wrong.
            changed: called when it begins, at each reply, and when it is done.
        """
        self.step, self.route, self.then = step, route, then
        self.replies = 0
        self.done = False
        self.allowed = allowed
        self._verdicts = verdicts
        self._changed = changed
        self._message: Message | None = None
        self._began = 0.0
        self._judged = self._played = True

    def __str__(self) -> str:
        """In words."""
        return self._verdicts.name(self.step, self.route)

    @property
    def expected(self) -> bool:
        """Whether it had an answer when it was recorded."""
        return bool(self.then.answered)

    def has_answered(self, replies: int) -> bool:
        """Whether there have been so many replies, or no more come."""
        return self.done or self.replies >= replies

    def begun(self, message: Message) -> None:
        """See `Outcome`."""
        self._message = message
        self._judged = False
        self._began = time.monotonic()
        self._changed(self)

    def replied(self, body: bytes) -> bool:  # noqa: ARG002  # that replies change is why one reloads
        """See `Outcome`."""
        self.replies += 1
        self._changed(self)
        alone = not self.route.is_async
        return not alone or self.replies < len(self.then.answered) or time.monotonic() - self._began < LISTENS

    def refused(self, code: int, text: str) -> None:
        """See `Outcome`."""
        if code == TIMED_OUT:
            self._judged = True
            if not self.then.timed_out and (self.expected or not self.then.known or self._is_waited_for()):
                self._fail(f"there is no answer after {self.allowed:g} s, its time-out")
        elif code == BAD_BODY and not self.then.bad_body:
            self._fail(f"the body is refused, and was not when it was recorded: {text}")
        elif (code, text) == (REFUSED, login_first(self.route.id)):
            self._played = False
            if self.then.logged_in:
                self._fail(f"it is refused, and was not when it was recorded: {text}")
            else:
                self._verdicts.skipped += self.then.handled or not self.then.known

    def failed(self, error: BaseException) -> None:
        """See `Outcome`."""
        self._judged = True
        self._fail(describe_with_place(error))

    def dropped(self) -> None:
        """See `Outcome`."""
        self._played = False

    def ended(self) -> None:
        """See `Outcome`."""
        self.done = True
        seconds = time.monotonic() - self._began
        # What has been deferred is given up in time, by a clock; what kept this thread could not be.
        deferred = self._message is not None and self._message.deferred is not None
        if not self._judged and not deferred and self.allowed and seconds > self.allowed:
            self._fail(f"it took {seconds:.2f} s; its time-out is {self.allowed:g} s")
        self._verdicts.played += self._played
        self._changed(self)

    def _is_waited_for(self) -> bool:
        """Whether a message behind it was answered, so it was done then."""
        pending = self._message.source.pending if self._message is not None else ()
        return any(isinstance(one.outcome, Take) and one.outcome.expected for one in pending)

    def _fail(self, text: str) -> None:
        self._verdicts.fail(self.step, self.route, text)
