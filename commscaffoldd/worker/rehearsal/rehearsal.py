"""Playing a capture through the handlers, one message after another, and judging what they do."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Final

from commscaffoldd.capture.recording import RecordedConnection, Recording, Step
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import BAD_BODY, UNKNOWN_ID, Endpoint, decode_error
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.layout import HEARTBEAT_ID
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.running import Running
from commscaffoldd.core.settings import QuarantineSettings
from commscaffoldd.core.slot import Reply
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.rehearsal.stage import RehearsedConnection

SHOWN: Final = 20
"""Errors that are named; more are counted."""
_OVER: Final = "the rehearsal is over"


class _Failures(FailureLog):
    """Keeps a handler's failure instead of logging it."""

    def __init__(self) -> None:
        super().__init__()
        self.last: BaseException | None = None

    def report(self, request: Request, error: BaseException) -> None:  # noqa: ARG002  # as it is declared
        """Keep it."""
        self.last = error


class Rehearsal:
    """One rehearsal.

    Attributes:
        played: messages that handlers have been given so far.
        current: what is being handled, in words; empty between messages.
    """

    def __init__(
        self, recording: Recording, host: PluginHost, endpoints: Mapping[str, Endpoint], handler_timeout: float
    ) -> None:
        """A rehearsal.

        Args:
            recording: what to play.
            host: the plugins; `worker_started` must have been called.
            endpoints: what is spoken now, by configured address.
            handler_timeout: seconds that handlers may take which say nothing else.
        """
        self._recording = recording
        self._host = host
        self._endpoints = endpoints
        self._timeout = handler_timeout
        self._failures = _Failures()
        quarantine = Quarantine(QuarantineSettings(enabled=False), host.routes, host.routes)
        self._runner = HandlerRunner(self._failures, quarantine)
        self._counters, self._running = Counters(), Running()
        self._on_stage: dict[str, RehearsedConnection] = {}
        self._errors: list[str] = []
        self._found = 0
        self.played = 0
        self.current = ""

    @property
    def errors(self) -> list[str]:
        """What is wrong so far, in lines; empty if nothing is."""
        more = [f"and {self._found - SHOWN} more"] if self._found > SHOWN else []
        return self._errors + more

    def play(self) -> None:
        """Play all of it."""
        for recorded, step in self._events():
            if step is None:
                assert recorded.closed is not None, "an end that was recorded"
                self._close(recorded.id, recorded.closed.reason)
            else:
                self._step(recorded, step)
        for name in list(self._on_stage):
            self._close(name, _OVER)

    def _events(self) -> Iterator[tuple[RecordedConnection, Step | None]]:
        """Messages, and connections' ends (`None`), in the order of their time."""
        events: list[tuple[int, int, RecordedConnection, Step | None]] = [
            (step.message.time, step.number, recorded, step) for recorded, step in self._recording.timeline()
        ]
        ends = ((one.closed.time, one) for one in self._recording.connections.values() if one.closed is not None)
        events += [(time_, 0, one, None) for time_, one in ends]
        events.sort(key=lambda event: event[0])
        return ((recorded, step) for _, _, recorded, step in events)

    def _step(self, recorded: RecordedConnection, step: Step) -> None:
        message = step.message
        rehearsed = self._on_stage.get(recorded.id) or self._open(recorded)
        if rehearsed.connection.closing or (message.id == HEARTBEAT_ID and not message.body):
            return
        route = self._host.routes.get(message.id)
        if route is None:
            if step.replies and UNKNOWN_ID not in self._recorded_codes(step):
                self._fail(step, None, "there is no handler for it; there was one when it was recorded")
            return
        self.current = self._name(step, route)
        self._judge(step, route, *self._run(rehearsed, step, route))
        self.current = ""
        self.played += 1

    def _run(self, rehearsed: RehearsedConnection, step: Step, route: Route) -> tuple[Reply | None, float]:
        message = step.message
        request = Request(rehearsed.connection, message.id, message.sequence, message.body, route)
        self._failures.last = None
        began = time.monotonic()
        reply = self._runner.run(request, rehearsed.endpoint, self._counters, self._running)
        return reply, time.monotonic() - began

    def _judge(self, step: Step, route: Route, reply: Reply | None, seconds: float) -> None:
        error, allowed = self._failures.last, self._timeout if route.timeout is None else route.timeout
        if error is not None:
            self._fail(step, route, _describe(error))
        elif allowed and seconds > allowed:
            self._fail(step, route, f"it took {seconds:.2f} s; its time-out is {allowed:g} s")
        elif reply is not None and reply[0] < 0:
            _, code, text = decode_error(reply[2])
            if code == BAD_BODY and BAD_BODY not in self._recorded_codes(step):
                self._fail(step, route, f"the body is refused, and was not when it was recorded: {text}")

    def _recorded_codes(self, step: Step) -> set[int]:
        """The codes of the error replies that a message was answered with when it was recorded."""
        error_ids = {one.error_id for one in self._recording.spoken.values()} - {None}
        codes = set()
        for reply in step.replies:
            if reply.id in error_ids and reply.id != step.message.id:
                try:
                    codes.add(decode_error(reply.body)[1])
                except ValueError:
                    continue
        return codes

    def _open(self, recorded: RecordedConnection) -> RehearsedConnection:
        made = RehearsedConnection(recorded, self._endpoints, self._recording.spoken)
        self._on_stage[recorded.id] = made
        if self._host.connection_opened is not None:
            self._host.connection_opened(made.connection)
        return made

    def _close(self, name: str, reason: str) -> None:
        rehearsed = self._on_stage.pop(name, None)
        if rehearsed is not None:
            rehearsed.end()
            if self._host.connection_closed is not None:
                self._host.connection_closed(rehearsed.connection, reason)

    def _fail(self, step: Step, route: Route | None, text: str) -> None:
        self._found += 1
        if self._found <= SHOWN:
            self._errors.append(f"{self._name(step, route)}: {text}")

    def _name(self, step: Step, route: Route | None) -> str:
        whose = f", handler {route.name} of plugin {route.plugin}" if route is not None else ""
        return f"{self._recording.path}: record {step.number}: message ID {step.message.id}{whose}"


def _describe(error: BaseException) -> str:
    """The exception, and where in the plugin it was raised."""
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    # Ours, which called the handler, come first; a reply of a wrong type is found there, and has no place of its own.
    own = [frame for frame in frames if not frame.filename.startswith(_OURS)]
    return f"{own[-1].filename}:{own[-1].lineno}: {text}" if own else text


_OURS: Final = __file__.removesuffix("worker/rehearsal/rehearsal.py")
