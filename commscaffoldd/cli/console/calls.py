"""Which frame answers which message."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Final, NamedTuple

from commscaffoldd.client import ErrorReply, Frame
from commscaffoldd.core.layout import Layout

_REMEMBERED: Final = 64  # calls whose further replies are still known


class Call(NamedTuple):
    """A message that has been sent.

    Attributes:
        id: its message ID.
        sequence: its sequence, 0 where there is none.
        sent: when, by time.perf_counter.
        answer: its first reply, once that has come.
    """

    id: int
    sequence: int
    sent: float
    answer: asyncio.Future[Frame]


class Calls:
    """Messages under way, in their order. For the loop's thread."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._waiting: list[Call] = []
        self._answered: collections.deque[Call] = collections.deque(maxlen=_REMEMBERED)

    def add(self, message_id: int, sequence: int) -> Call:
        """A message has been sent."""
        call = Call(message_id, sequence, time.perf_counter(), asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        return call

    def forget_all(self) -> None:
        """The connection is another one."""
        for call in self._waiting:
            call.answer.cancel()
        self._waiting.clear()
        self._answered.clear()

    def match(self, frame: Frame) -> Call | None:
        """The call that a frame answers, be it again; `None` for a push."""
        for call in self._waiting:
            if self._answers(frame, call):
                self._waiting.remove(call)
                self._answered.append(call)
                return call
        if self._layout.has_sequence and frame.sequence:
            return next((call for call in self._answered if self._answers(frame, call)), None)
        return None

    def error_in(self, frame: Frame) -> ErrorReply | None:
        """The error, if the frame is an error reply."""
        is_error = self._layout.error_id is not None and frame.id == self._layout.error_id
        return ErrorReply.from_body(frame.body) if is_error else None

    def _answers(self, frame: Frame, call: Call) -> bool:
        if self._layout.has_sequence:
            return frame.sequence == call.sequence and (call.sequence != 0 or frame.id == call.id)
        error = self.error_in(frame)
        if error is not None:
            return error.id == call.id
        return not self._layout.has_id or frame.id == call.id
