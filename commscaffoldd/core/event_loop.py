"""The event loop: the thread on which a worker's `async def` handlers run, with asyncio.

    reactor: launch ──► inbox ──(one wake-up for a burst)──► event loop: a task ──► Deferred ──► reactor

A message's function, called by the reactor, only defers it and puts it here. So what is true of deferred messages is
true of these: order, timeout, handover and draining know nothing of asyncio.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from functools import partial, update_wrapper
from threading import get_ident
from types import CoroutineType
from typing import Any, Final, TypeAlias, TypeVar

from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.service_thread import ServiceThread
from commscaffoldd.core.stacks import stack_of_awaitable

AsyncHandler: TypeAlias = Callable[[Request], Awaitable[object] | object]
"""Gives an awaitable of the handler's result, or that result at once. Called on the event loop's thread."""

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# A task begins at once: many a handler needs no more than that.
EAGER: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


class EventLoop:
    """Owns the thread and its loop.

    Attributes:
        loop: asyncio's.
        started: whether the thread runs.
    """

    def __init__(self) -> None:
        """Not running yet. To be made after the fork."""
        self.loop = asyncio.new_event_loop()
        self.started = False
        self._thread = ServiceThread("event loop", self._run)
        self._inbox: deque[tuple[Deferred, AsyncHandler]] = deque()
        self._asked = False  # the loop will look into the inbox
        self._end: asyncio.Task[None] | None = None
        self._tasks: dict[Deferred, _HandlerTask] = {}  # asyncio itself keeps weak references only
        self._beginning: Deferred | None = None  # what `_begin` is at
        self._waking = False  # the reactor will be woken before the loop waits again

    @property
    def thread(self) -> int:
        """The thread's identifier, as `threading.get_ident` gives it; 0 before it runs."""
        return self._thread.ident or 0

    def start(self) -> None:
        """Start the thread."""
        self.started = True
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Cancel what runs, and end the thread; wait for it at most `timeout` seconds.

        Returns:
            Whether it has ended; not if something blocks it.
        """
        if not self.started:
            self.loop.close()
            return True
        self.call_soon(self._begin_end)
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self.loop.close()
        return True

    # -- any thread ----------------------------------------------------------------------------------------

    def call(self, coroutine: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        """Run a coroutine on the loop, and wait for it. Not from the loop's own thread.

        Raises:
            TimeoutError: it took longer, or the loop is blocked; it is cancelled.
            BaseException: what the coroutine raises.
        """
        future = self.spawn(_outcome(coroutine))
        try:
            result, error = future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise TimeoutError(f"it was not done in {timeout or 0.0:.1f} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # without an error there is one

    def spawn(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def call_soon(self, function: Callable[[], object]) -> bool:
        """Have the loop call this. Returns whether it will; not if it has ended."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    def launcher(self, handler: AsyncHandler, *, cancel_on_close: bool = False) -> Callable[[Request], None]:
        """The function for a route whose messages this handler is to have.

        Args:
            handler: the handler.
            cancel_on_close: whether it is cancelled when its connection closes.
        """

        def launch(request: Request) -> None:
            """The reactor's thread; a business thread for a concurrent handler."""
            deferred = request.defer()
            deferred.cancel_on_close = cancel_on_close
            deferred.wake_later = self._wake_later
            self._inbox.append((deferred, handler))
            if not self._asked:
                self._asked = True
                self.call_soon(self._begin_all)

        return update_wrapper(launch, handler)  # who looks for the handler's own code finds it

    def _wake_later(self, wake: Callable[[], None]) -> None:
        """Wake the reactor once for all that is answered in one turn of the loop, not in the middle of it."""
        if get_ident() != self._thread.ident:
            wake()
        elif not self._waking:
            self._waking = True
            self.loop.call_soon(self._wake, wake)

    # -- the event loop's thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        """Run until `stop`, whatever plugins do: all that is asynchronous in this worker waits for this thread."""
        asyncio.set_event_loop(self.loop)
        while self._end is None or not self._end.done():
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio lets these through, out of tasks and callbacks
                text = f"a task on the event loop raised {error!r}: the event loop goes on"
                logger.error(text, exc_info=error)  # noqa: TRY400  # as others of the daemon's
            else:
                if self._end is None:
                    logger.error("a plugin has called stop() of the event loop: the event loop goes on")

    def _wake(self, wake: Callable[[], None]) -> None:
        self._waking = False
        wake()

    def _begin_all(self) -> None:
        self._asked = False  # before looking: who puts something in after the look asks again
        for _ in range(len(self._inbox)):
            self._beginning, handler = self._inbox.popleft()
            self._begin(self._beginning, handler)
        self._beginning = None

    def _begin(self, deferred: Deferred, handler: AsyncHandler) -> None:
        if deferred.settled:  # its time was over, or its connection has gone, before it came to this
            return
        try:
            result = handler(deferred.request)
        except BaseException as error:  # noqa: BLE001  # a handler must not end a thread of ours
            deferred.fail(error)
            return
        if not isinstance(result, CoroutineType) and not inspect.isawaitable(result):
            _answer(deferred, result)
            return
        task = _HandlerTask(self._finish(deferred, result), loop=self.loop, **EAGER)
        if task.done():
            return
        task.deferred = deferred
        self._tasks[deferred] = task
        deferred.where, deferred.cancel = task.where, partial(self.call_soon, task.cancel)
        _cancel_if_settled(deferred, task)  # before it could have been

    async def _finish(self, deferred: Deferred, awaitable: Awaitable[object]) -> None:
        try:
            result = await awaitable
        except asyncio.CancelledError:
            if not deferred.settled:  # not by us: by its plugin, or because the worker ends
                deferred.fail(RuntimeError("the handler was cancelled"))
        except BaseException as error:  # noqa: BLE001  # SystemExit among it: a handler must not end a thread of ours
            deferred.fail(error)
        else:
            _answer(deferred, result)
        finally:
            self._tasks.pop(deferred, None)
            deferred.cancel = deferred.where = None  # they have the task, and that has the deferred

    def _begin_end(self) -> None:
        self._end = self.loop.create_task(self._cancel_all())
        self._end.add_done_callback(lambda _: self.loop.stop())

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.loop.shutdown_asyncgens()

    # -- the watchdog's thread -----------------------------------------------------------------------------

    def current(self) -> Request | None:
        """The message whose handler the loop is just at, if it is at one."""
        task = asyncio.current_task(self.loop)
        found = task.deferred if isinstance(task, _HandlerTask) else None
        deferred = found or self._beginning
        return deferred.request if deferred is not None else None


def _cancel_if_settled(deferred: Deferred, task: asyncio.Task[None]) -> None:
    if deferred.settled:
        task.cancel()


class _HandlerTask(asyncio.Task[None]):
    """A handler's task.

    Attributes:
        deferred: what it answers; `None` while its first step runs at once.
    """

    deferred: Deferred | None = None

    def cancel(self, msg: Any = None) -> bool:  # noqa: ANN401  # as asyncio's
        """See asyncio's; one that has not begun is cancelled after its first step: else nobody answers."""
        if inspect.getcoroutinestate(self._steps()) != inspect.CORO_CREATED:
            return super().cancel(msg)
        self.get_loop().call_soon(super().cancel, msg)
        return True

    def where(self) -> str:
        """What the handler waits for, as lines of a stack. Any thread."""
        return stack_of_awaitable(self._steps().cr_await)

    def _steps(self) -> CoroutineType[Any, Any, Any]:
        coroutine = self.get_coro()
        assert isinstance(coroutine, CoroutineType)
        return coroutine


def launched(routes: RouteTable, event_loop: EventLoop) -> RouteTable:
    """The routes, with what asynchronous ones need to be called like others."""
    return {
        route.id: route
        if not route.is_async
        else dataclasses.replace(
            route, function=event_loop.launcher(route.function, cancel_on_close=route.cancel_on_close)
        )
        for route in routes.values()
    }


async def _outcome(coroutine: Coroutine[Any, Any, Result]) -> tuple[Result | None, BaseException | None]:
    """What comes of it, as a value: SystemExit, for one, would end the loop, and nobody would be told."""
    try:
        return await coroutine, None
    except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
        return None, error


def _answer(deferred: Deferred, result: object) -> None:
    answered_elsewhere = result is deferred or (result is None and deferred.kept)
    if not answered_elsewhere:
        deferred.reply(result)
