"""Finds out what blocks the event loop: an `async def` function that computes, or waits without `await`.

A look asks the loop to answer; if it has not at a later look, something has kept it since.
"""

from __future__ import annotations

import logging
from typing import Final

from commscaffoldd.core.event_loop import EventLoop
from commscaffoldd.core.stacks import frames_of, stack_of

logger = logging.getLogger(__name__)

PLUGINS: Final = "commscaffoldd_plugins"  # the package of plugins that were found in a folder
BLOCKED: Final = 0.5  # seconds; all asynchronous handlers of the worker wait meanwhile


class LoopWatch:
    """Looks at one event loop. The handler watchdog's thread, but for the loop's answer."""

    def __init__(self, event_loop: EventLoop) -> None:
        self._event_loop = event_loop
        self._answered = True  # written by the loop's thread, too
        self._asked_at = 0.0
        self._told = ""  # who blocks it, once that has been logged

    def look(self, now: float) -> float:
        """Look, at `now`, a monotonic time. Gives for how many seconds the loop has been blocked."""
        if self._answered:
            if self._told:
                logger.warning(f"the event loop goes on: {self._told} has kept it for {now - self._asked_at:.1f} s")
                self._told = ""
            self._answered = False
            self._asked_at = now
            if not self._event_loop.call_soon(self._answer):
                self._answered = True
            return 0.0
        blocked = now - self._asked_at
        if blocked >= BLOCKED and not self._told:
            self._tell(blocked)
        return blocked if self._told else 0.0

    def _answer(self) -> None:
        self._answered = True

    def _tell(self, blocked: float) -> None:
        thread = self._event_loop.thread
        request = self._event_loop.current()
        if request is None:
            function, self._told = None, _owner_of(thread)
        else:
            function = request.route.function
            self._told = f"handler {request.route.name} of plugin {request.route.plugin}, message ID {request.id},"
        text = f"{self._told} blocks the event loop for {blocked:.1f} s now, all async handlers wait; it is at:"
        stack = stack_of(thread, function)
        logger.handle(logger.makeRecord(logger.name, logging.ERROR, __file__, 0, text, (), None, None, None, stack))


def _owner_of(thread: int) -> str:
    """Whose code a thread runs, by the outermost call that is neither asyncio's nor ours."""
    for frame in reversed(frames_of(thread)):
        module = str(frame.f_globals.get("__name__", ""))
        package, _, rest = module.partition(".")
        if package == PLUGINS:
            return f"plugin {rest.partition('.')[0]}"
        if package not in ("asyncio", "threading", "commscaffoldd"):
            return f"module {module}"
    return "something"
