"""What became of a message when it was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from commscaffoldd.capture.recording import RecordedConnection, Recording, Step
from commscaffoldd.core.endpoint import (
    BAD_BODY,
    OVERLOADED,
    QUARANTINED,
    REFUSED,
    TIMED_OUT,
    UNKNOWN_ID,
    decode_error,
)
from commscaffoldd.core.login import login_first

_NO_ANSWER: Final = (TIMED_OUT, OVERLOADED, QUARANTINED)
"""Error replies that say nothing of when, or whether, a handler has answered."""


class Then:
    """One message's past.

    Attributes:
        known: whether replies were recorded at all.
        answered: when the handler's replies were sent, by the capture's clock, in order.
        timed_out: whether the handler took too long.
        bad_body: whether its body was refused.
        handled: whether a handler has answered it, well or not.
        logged_in: whether it would have been refused without a login, and was not, and the login is in the capture.
    """

    def __init__(
        self, recording: Recording, recorded: RecordedConnection, step: Step, error_ids: Collection[int]
    ) -> None:
        errors = list(_errors(step, error_ids))
        codes = {code for _, code, _ in errors}
        not_answers = {number for number, code, _ in errors if code in _NO_ANSWER}
        gate = (REFUSED, login_first(step.message.id))
        not_handled = {n for n, code, text in errors if code in (UNKNOWN_ID, OVERLOADED) or (code, text) == gate}
        self.known = recording.filter.direction != "in"
        self.answered = [reply.time for number, reply in enumerate(step.replies) if number not in not_answers]
        self.timed_out = TIMED_OUT in codes
        self.bad_body = BAD_BODY in codes
        self.handled = len(step.replies) > len(not_handled)
        self.logged_in = self.handled and recorded.opened and not recording.filter.ids and not recording.lost


def _errors(step: Step, error_ids: Collection[int]) -> Iterator[tuple[int, int, str]]:
    """Number, code and text of the error replies among the replies."""
    for number, reply in enumerate(step.replies):
        if reply.id in error_ids and reply.id != step.message.id:
            try:
                _, code, text = decode_error(reply.body)
            except ValueError:
                continue
            yield number, code, text
