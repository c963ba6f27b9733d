"""What a worker does with its plugins before its first message and after its last."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final

from commscaffoldd.core.event_loop import EventLoop
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.host import PluginHost, RunAsync

STOP: Final = 1.0  # seconds for the event loop to end, or to catch up
TURNS: Final = 3  # of the loop: to cancel a task, to let it end, and whoever waits for it


class PluginLife:
    """The plugins' hooks of a worker's life, and the event loop, where one of them is asynchronous.

    Attributes:
        event_loop: runs between `start` and `stop`; `None`: no plugin has anything asynchronous.
    """

    def __init__(self, host: PluginHost) -> None:
        """Not started yet."""
        self._host = host
        self._worker = WorkerInfo(1, os.getpid())
        self.event_loop: EventLoop | None = None

    @property
    def _run_async(self) -> RunAsync | None:
        return None if self.event_loop is None else self.event_loop.call

    def start(self) -> None:
        """Call the hooks `self_test` and `worker_started`.

        Raises:
            PluginErrors: what they raised.
        """
        self._host.self_test()
        if self._host.is_async:
            self.event_loop = EventLoop()
            self.event_loop.start()
        try:
            self._host.worker_started(self._worker, self._run_async)
        except BaseException:
            self._end_loop()
            raise

    def catch_up(self) -> None:
        """Let the event loop do what it can do now: begin what it has been given, end what has been cancelled."""
        if self.event_loop is not None:
            with contextlib.suppress(TimeoutError):  # something blocks it: that is the plugin's, and shows elsewhere
                self.event_loop.call(_turns(), STOP)

    def stop(self) -> None:
        """Call the hook `worker_stopping`, and end the event loop."""
        try:
            self._host.worker_stopping(self._worker, self._run_async)
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        event_loop, self.event_loop = self.event_loop, None
        if event_loop is not None and not event_loop.stop(STOP):
            raise AssertionError("the event loop does not end: something blocks it")


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
