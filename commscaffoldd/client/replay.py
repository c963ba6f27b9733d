"""Plays a capture to a daemon: each recorded connection on a connection of its own, all in one thread.

result = Replay(ReplayPlan(Address.parse("127.0.0.1:9000"), PRESETS["standard"], load_recording(path))).run()
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from commscaffoldd.capture.recording import RecordedConnection
from commscaffoldd.client.replay_connection import ReplayConnection
from commscaffoldd.client.replay_plan import ReplayPlan, ReplayResult

_TURN: Final = 0.05  # seconds of a wait, at most
_OPENED: Final = 32  # connections opened in one turn: the others' messages wait meanwhile

Progress = Callable[[ReplayResult], None]


class Replay:
    """One replay. `run` is called once."""

    def __init__(self, plan: ReplayPlan, progress: Progress = lambda _: None) -> None:
        """A replay; `progress` is called with the result so far, many times a second."""
        self._plan = plan
        self._progress = progress
        self._selector = selectors.DefaultSelector()
        self._playing: dict[ReplayConnection, int] = {}  # what each is watched for
        self._first = min(one.steps[0].message.time for one in plan.recording.connections.values())
        ordered = sorted(plan.recording.connections.values(), key=lambda one: one.steps[0].message.time)
        self._waiting: deque[RecordedConnection] = deque(ordered)
        self._began = 0.0
        self._result = ReplayResult()

    def run(self) -> ReplayResult:
        """Play all of it; Ctrl-C ends it early. Connections that fail are in the result."""
        self._began = time.monotonic()
        try:
            while self._waiting or self._playing:
                self._turn()
                self._progress(self._result)
        except KeyboardInterrupt:
            self._result.interrupted = True
        finally:
            for one in self._playing:
                one.stop()
            self._selector.close()
        self._result.seconds = time.monotonic() - self._began
        return self._result

    def _due(self, recorded: int) -> float:
        if not self._plan.speed:
            return self._began
        return self._began + (recorded - self._first) / 1e9 / self._plan.speed

    def _turn(self) -> None:
        now = time.monotonic()
        self._open(now)
        for one in [one for one in self._playing if one.next_due <= now]:
            one.play(now)
            self._settle(one)
        for key, events in self._selector.select(self._longest(time.monotonic())):
            assert isinstance(key.fileobj, ReplayConnection), "nothing else is watched"
            one, now = key.fileobj, time.monotonic()
            if events & selectors.EVENT_READ:
                one.read(now)
            if events & selectors.EVENT_WRITE and not one.ended:
                one.write(now)
            self._settle(one)

    def _open(self, now: float) -> None:
        for _ in range(_OPENED):
            if not self._waiting or len(self._playing) >= self._plan.connections:
                return
            recorded = self._waiting[0]
            if self._due(recorded.steps[0].message.time) > now:
                return
            self._waiting.popleft()
            try:
                one = ReplayConnection(recorded, self._plan, self._result, self._due)
            except OSError as error:
                reason = error.strerror or str(error)
                self._result.fail(f"connection {recorded.id}: cannot connect to {self._plan.address}: {reason}")
                continue
            self._result.connections += 1
            self._playing[one] = selectors.EVENT_READ
            self._selector.register(one, selectors.EVENT_READ)

    def _settle(self, one: ReplayConnection) -> None:
        """Watch it for what it waits for now; forget it, if it has ended."""
        if one not in self._playing:
            return
        if one.ended:
            del self._playing[one]
            self._selector.unregister(one)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if one.wants_to_write else 0)
        if wanted != self._playing[one]:
            self._playing[one] = wanted
            self._selector.modify(one, wanted)

    def _longest(self, now: float) -> float:
        due = [one.next_due for one in self._playing]
        if self._waiting and len(self._playing) < self._plan.connections:
            due.append(self._due(self._waiting[0].steps[0].message.time))
        return max(0.0, min([_TURN, *(one - now for one in due)]))
