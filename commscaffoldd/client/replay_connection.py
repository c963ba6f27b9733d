"""One recorded connection, played on a connection of its own: what it sent, in its order, and what comes back."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.capture.pairing import Pairing
from commscaffoldd.capture.recording import RecordedConnection
from commscaffoldd.client.connecting import connect
from commscaffoldd.client.errors import ErrorReply
from commscaffoldd.client.frame_client import MAX_BODY
from commscaffoldd.client.replay_plan import Difference, ReplayPlan, ReplayResult
from commscaffoldd.core.framing import Frame, FrameReader

_READ: Final = 65536
_ENOUGH: Final = 1 << 18  # bytes that wait for the socket: no more is encoded before some have gone


class ReplayConnection:
    """Plays one connection. Nothing here waits, but connecting.

    Attributes:
        ended: it is over, and closed.
        wants_to_write: something waits until the socket takes more.
    """

    def __init__(
        self, recorded: RecordedConnection, plan: ReplayPlan, result: ReplayResult, due: Callable[[int], float]
    ) -> None:
        """Connect.

        Args:
            recorded: what to play.
            plan: how.
            result: to be counted in.
            due: when, on the monotonic clock, a record's time has come.

        Raises:
            OSError: it cannot be connected.
        """
        self._recorded = recorded
        self._layout = plan.layout
        self._timeout = plan.timeout
        self._result = result
        self._due = due
        self._pairing = Pairing(plan.layout)
        self._reader = FrameReader(plan.layout, MAX_BODY, default_id=plan.default_id)
        self._got: list[list[bytes]] = [[] for _ in recorded.steps]
        self._next = 0
        self._unsent = bytearray()
        # Requests that an answer is expected to: as when they were recorded; if nothing is known of that, all.
        self._expected = [len(step.replies) if recorded.replied else 1 for step in recorded.steps]
        self._unanswered = sum(map(bool, self._expected))
        self._last = time.monotonic()
        self._shut = False
        self.ended = False
        self._socket = connect(plan.address, plan.timeout)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """The descriptor, to be polled."""
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether it waits for the socket."""
        return bool(self._unsent)

    @property
    def next_due(self) -> float:
        """When, on the monotonic clock, it has something to do by itself."""
        if self._unsent:
            return self._last + self._timeout
        if self._next < len(self._recorded.steps):
            return self._due(self._recorded.steps[self._next].message.time)
        return self._last + self._timeout

    def play(self, now: float) -> None:
        """Send what is due; end it, if it has been silent for too long."""
        steps = self._recorded.steps
        while self._next < len(steps) and len(self._unsent) < _ENOUGH:
            message = steps[self._next].message
            if self._due(message.time) > now:
                break
            try:
                self._unsent += self._layout.encode(message.id, message.sequence, message.body)
            except ValueError as error:
                self._end(f"record {steps[self._next].number} cannot be sent: {error}")
                return
            self._pairing.ask(self._next, message.id, message.sequence)
            self._next += 1
            self._result.messages += 1
            self._last = now
        self._flush(now)
        if not self.ended and (self._next == len(steps) or self._unsent) and now - self._last >= self._timeout:
            self._end(f"the daemon took nothing for {self._timeout:g} s" if self._unsent else "")

    def write(self, now: float) -> None:
        """The socket takes more."""
        self._flush(now)
        if not self.ended:
            self.play(now)

    def read(self, now: float) -> None:
        """Something has come."""
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._end("" if self._shut else self._describe(error))
            return
        frames, wrong = self._reader.feed(data)
        answers = sum(self._take(frame) for frame in frames)
        if answers or not frames:  # a part of a frame may be one of an answer
            self._last = now  # pushes are not waited for: a daemon may send some for ever
        if wrong is not None:
            self._end(f"what came is not layout {self._layout.name}: {wrong.text}")
        elif not data:
            self._ended_by_peer()
        else:
            self._end_if_done()

    def stop(self) -> None:
        """End it before its end."""
        self._end("")

    def _take(self, frame: Frame) -> bool:
        """Count it; returns whether it is an answer."""
        message_id, sequence, body = frame
        index = self._pairing.answered(message_id, sequence, body)
        if index is None:
            self._result.pushes += 1
            return False
        self._result.replies += 1
        if message_id == self._layout.error_id:
            error = ErrorReply.from_body(body)
            code = error.code if error is not None else 0
            self._result.errors[code] = self._result.errors.get(code, 0) + 1
        self._got[index].append(body)
        self._unanswered -= len(self._got[index]) == self._expected[index]
        return True

    def _flush(self, now: float) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
                self._last = now
        except BlockingIOError:
            return
        except OSError as error:
            self._end(self._describe(error))
            return
        self._end_if_done()

    def _end_if_done(self) -> None:
        """Once all is sent and answered, shut our side: the daemon finishes what it has, and closes."""
        if self._next == len(self._recorded.steps) and not self._unsent and self._unanswered <= 0 and not self._shut:
            self._shut = True
            with contextlib.suppress(OSError):  # gone already: the next read says so
                self._socket.shutdown(socket.SHUT_WR)

    def _ended_by_peer(self) -> None:
        early = self._next < len(self._recorded.steps) or self._unsent
        text = f"the daemon closed it after {self._next} of {len(self._recorded.steps)} messages"
        self._end(text if early else "")

    def _describe(self, error: OSError) -> str:
        return f"{error.strerror}, after {self._next} of {len(self._recorded.steps)} messages"

    def _end(self, failure: str) -> None:
        if self.ended:
            return
        self.ended = True
        self._socket.close()
        if failure:
            self._result.fail(f"connection {self._recorded.id}: {failure}")
        for step, got in list(zip(self._recorded.steps, self._got, strict=True))[: self._next]:
            bodies = tuple(reply.body for reply in step.replies)
            self._result.recorded_errors += sum(reply.id == self._layout.error_id for reply in step.replies)
            if self._recorded.replied and bodies != tuple(got):
                message = step.message
                self._result.differ(
                    Difference(
                        step.number, self._recorded.id, message.id, message.sequence, recorded=bodies, got=tuple(got)
                    )
                )
