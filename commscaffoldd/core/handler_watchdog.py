"""The handler watchdog: a thread that notices handlers that run longer than they may, and answers in their place.

It looks at what each thread runs now. A message that is still there when it looks again has been running for at least
the time between: so nobody has to read a clock for each message. A thread cannot be ended; what hangs keeps it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Protocol

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferrals, Deferred
from commscaffoldd.core.endpoint import TIMED_OUT
from commscaffoldd.core.loop_watch import LoopWatch
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.request import LifecycleCall, Request, Work
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.running import Watched
from commscaffoldd.core.service_thread import PeriodicThread
from commscaffoldd.core.slot import slot_of
from commscaffoldd.core.stacks import stack_of

logger = logging.getLogger(__name__)

LONGEST_WAIT: Final = 0.25  # seconds between two looks
SHORTEST_WAIT: Final = 0.02
LOOKS: Final = 5  # looks in the shortest timeout: how exact it is
REMIND: Final = 1.0  # seconds after which it is told again that all business threads hang
POOL: Final = "all its business threads"
LOOP: Final = "its event loop"


class Observer(Protocol):
    """Who is told what the master should know. Called on the watchdog's thread."""

    def hung(self, what: str) -> None:
        """Handlers that have been given up hold all of this; told again and again while it is so."""

    def quarantine_changed(self) -> None:
        """Some message ID's quarantine has begun, changed or ended."""


class _Seen:
    """What a thread was found running."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.work: Work | None = None
        self.since = 0.0  # monotonic seconds, at the first look that found it
        self.given_up = False


class HandlerWatchdog(PeriodicThread):
    """Owns the watchdog thread."""

    def __init__(
        self,
        pool: Sequence[Watched],
        reactor: Watched,
        *,
        deferrals: Deferrals,
        timeout: float,
        routes: RouteTable,
        quarantine: Quarantine,
        observer: Observer,
        loop_watch: LoopWatch | None = None,
    ) -> None:
        """A watchdog.

        Args:
            pool: the business threads.
            reactor: the reactor's thread.
            deferrals: messages that are answered later.
            timeout: seconds that a handler may run if its route does not say otherwise; 0: for ever.
            routes: the routes.
            quarantine: is told of each handler that is given up.
            observer: is told what the master should know.
            loop_watch: looks at the event loop; `None`: there is none.
        """
        self._loop_watch = loop_watch
        self._pool = [_Seen(watched) for watched in pool]
        self._all = [*self._pool, _Seen(reactor)]
        self._deferrals = deferrals
        self._timeout = timeout
        timeouts = (timeout, *(route.timeout for route in routes.values()))
        shortest = min(filter(None, timeouts), default=LONGEST_WAIT * LOOKS)
        super().__init__("handler watchdog", min(max(shortest / LOOKS, SHORTEST_WAIT), LONGEST_WAIT))
        self._quarantine = quarantine
        self._observer = observer
        self._tell_at = 0.0
        self.counters = Counters()

    def look(self, now: float) -> None:
        """Give up what has run too long at `now`, a monotonic time."""
        for seen in self._all:
            self._look_at(seen, now)
        for deferred in self._deferrals.suspended():
            self._look_at_deferred(deferred, now)
        hung = self._hung(now) if now >= self._tell_at else ""
        if hung == POOL:
            for seen in self._pool:
                if seen.work is not None and not isinstance(seen.work, LifecycleCall):
                    self._quarantine.holds_all(seen.work)
        if self._quarantine.take_change():
            self._observer.quarantine_changed()
        if hung:  # at last: this is what the one who replaces it inherits
            self._tell_at = now + REMIND
            self._observer.hung(hung)

    def _hung(self, now: float) -> str:
        """What handlers that have been given up hold, if they hold all of it."""
        blocked = self._loop_watch.look(now) if self._loop_watch is not None else 0.0
        if all(seen.given_up for seen in self._pool):
            return POOL
        return LOOP if self._timeout and blocked >= self._timeout else ""

    def _look_at(self, seen: _Seen, now: float) -> None:
        work = seen.watched.work
        if work is not seen.work:
            if seen.given_up and seen.work is not None:
                logger.warning(f"{_name(seen.work)} has come back after {now - seen.since:.1f} s: too late")
            seen.work, seen.since, seen.given_up = work, now, False
        elif work is not None and not seen.given_up:
            timeout = self._timeout_of(work)
            if timeout and now - seen.since >= timeout:
                self._give_up(seen, work, now - seen.since, timeout)

    def _give_up(self, seen: _Seen, work: Work, seconds: float, timeout: float) -> None:
        stack = stack_of(seen.watched.thread, work.route.function)
        if not seen.watched.give_up(work):
            return  # it has just ended
        seen.given_up = True
        self.counters.handler_timeouts += 1
        _log(work, f"still runs after {seconds:.1f} s: it is given up, and keeps its thread; it is at:", stack)
        if isinstance(work, LifecycleCall):
            return
        work.given_up = True
        self._quarantine.timed_out(work, timeout)  # first: who has its answer may rely on what follows from it
        self._answer(work, _too_long(timeout))

    def _look_at_deferred(self, deferred: Deferred, now: float) -> None:
        """Give up a message that is answered later; it keeps no thread, and its connection goes on."""
        request = deferred.request
        timeout, seconds = self._timeout_of(request), now - deferred.since
        if not timeout or seconds < timeout:
            return
        where = deferred.location()
        if not self._deferrals.give_up(deferred):
            return  # it has just been answered
        self.counters.handler_timeouts += 1
        _log(
            request,
            f"has not been answered after {seconds:.1f} s: it is given up" + "; it is at:" * bool(where),
            where,
        )
        self._quarantine.timed_out(request, timeout)
        self._deferrals.answer(deferred, Refusal(TIMED_OUT, _too_long(timeout)))

    def _timeout_of(self, work: Work) -> float:
        return self._timeout if work.route.timeout is None else work.route.timeout

    def _answer(self, request: Request, text: str) -> None:
        slot = slot_of(request.connection)
        endpoint = slot.endpoint
        assert endpoint is not None, "a slot that has had a message has had a connection"
        reply = endpoint.error_reply(request.id, request.sequence, TIMED_OUT, text)
        if reply is not None and slot.queue(request.connection.generation, reply):
            slot.outlet.flush_soon(slot)


def _name(work: Work) -> str:
    route = work.route
    if isinstance(work, LifecycleCall):
        return f"hook {route.name} for {work.connection.peer}"
    return f"handler {route.name} of plugin {route.plugin}, message ID {work.id} from {work.connection.peer},"


def _too_long(timeout: float) -> str:
    return f"the handler took longer than {timeout:g} s"


def _log(work: Work, text: str, stack: str) -> None:
    if logger.isEnabledFor(logging.ERROR):
        extra = {"connection": work.connection.id}
        line = f"{_name(work)} {text}"
        logger.handle(
            logger.makeRecord(logger.name, logging.ERROR, __file__, 0, line, (), None, None, extra, stack or None)
        )
