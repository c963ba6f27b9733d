"""What a worker does with its plugins before its first message and after its last."""

from __future__ import annotations

import math
import time

from commscaffoldd.core.event_loop import EventLoop
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.host import PluginHost, RunAsync


class PluginLife:
    """The plugins' hooks of a worker's life, and the event loop, where one of them is asynchronous. Main thread.

    Attributes:
        event_loop: runs between `start` and `stop`; `None`: no plugin has anything asynchronous.
    """

    def __init__(self, host: PluginHost, worker: WorkerInfo) -> None:
        """Not started yet."""
        self._host = host
        self._worker = worker
        self.event_loop: EventLoop | None = None

    @property
    def _run_async(self) -> RunAsync | None:
        return None if self.event_loop is None else self.event_loop.call

    def start(self, patience: float) -> None:
        """Start the event loop, and call the hook `worker_started`.

        Args:
            patience: seconds for the event loop to end, if the hook fails.

        Raises:
            PluginErrors: what the hook raised.
        """
        if self._host.is_async:
            self.event_loop = EventLoop()
            self.event_loop.start()
        try:
            self._host.worker_started(self._worker, self._run_async)
        except BaseException:
            self._end_loop(patience)
            raise

    def stop(self, patience: float, stop_by: float = math.inf) -> bool:
        """Call the hook `worker_stopping`, and end the event loop.

        Args:
            patience: seconds for the event loop to end.
            stop_by: when async hooks are given up, in monotonic seconds: nobody may hold up a worker that stops.

        Returns:
            Whether it has; not if something blocks it.
        """
        try:
            self._host.worker_stopping(self._worker, self._run_async_until(stop_by))
        finally:
            ended = self._end_loop(patience)
        return ended

    def _run_async_until(self, deadline: float) -> RunAsync | None:
        event_loop = self.event_loop
        if event_loop is None or deadline == math.inf:
            return self._run_async
        return lambda coroutine: event_loop.call(coroutine, max(deadline - time.monotonic(), 0.0))

    def _end_loop(self, patience: float) -> bool:
        event_loop, self.event_loop = self.event_loop, None
        return event_loop is None or event_loop.stop(patience)
