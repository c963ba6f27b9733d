"""The quarantine: a message ID whose handler keeps failing or hanging is left alone for a while. One for each worker.

    CLEAR ──(so many failures, or time-outs, in a row)──► QUARANTINED ──(time is over, a message comes)──► PROBING
      ▲                                                      ▲   (longer each time)                          │ │
      │                                                      └───────────────(it fails, or hangs)────────────┘ │
      └──────────────────────────────(it succeeds, or an operator releases the ID)─────────────────────────────┘

A message whose handler is well meets nothing of this: while an ID is quarantined, something else stands in its
handler's place (`Switch.function`), and successes are told only if there is trouble (`Switch.troubled`).
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from commscaffoldd.core.endpoint import QUARANTINED
from commscaffoldd.core.error_text import describe
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route, RouteTable
from commscaffoldd.core.settings import QuarantineSettings

logger = logging.getLogger(__name__)

Handler = Callable[[Any], object]


class Switch(Protocol):
    """Where a path looks up a message ID's handler: a `Route`, or a `Way` of the native path.

    Attributes:
        function: what is called for the next message.
        troubled: whether `Quarantine.succeeded` is to be called after a success.
    """

    function: Handler
    troubled: bool


class Quarantined(Struct, frozen=True):
    """A quarantined message ID.

    Attributes:
        id, plugin, function: which, and whose.
        reason: why, in words that follow "its handler".
        last: the last error, for operators; empty if there is none.
        since: seconds since the epoch.
        until: the same; after that the next message is a try. `None`: that try is under way.
        span: for how many seconds it is, or was last, left alone.
    """

    id: int
    plugin: str
    function: str
    reason: str
    last: str
    since: float
    until: float | None
    span: float


class _Trouble:
    """One message ID's failures in a row and, if it is quarantined, all about that."""

    def __init__(self, route: Route, switch: Switch) -> None:
        self.route = route
        self.switch = switch
        self.handler = switch.function
        self.failures = 0
        self.timeouts = 0
        self.span = 0.0  # seconds; 0: not quarantined
        self.since = 0.0  # time.time
        self.until = 0.0  # time.monotonic
        self.probe: Request | None = None
        self.reason = ""
        self.last = ""

    def __str__(self) -> str:
        """As it is named in the log."""
        return f"message ID {self.route.id} (handler {self.route.name} of plugin {self.route.plugin})"

    def describe(self) -> Quarantined:
        until = None if self.probe else time.time() + self.until - time.monotonic()
        route = self.route
        return Quarantined(route.id, route.plugin, route.name, self.reason, self.last, self.since, until, self.span)


class Quarantine:
    """Counts, decides, and switches handlers. All methods may be called by any thread."""

    def __init__(self, settings: QuarantineSettings, routes: RouteTable, switches: Mapping[int, Any]) -> None:
        """Nothing is quarantined.

        Args:
            settings: when, and for how long.
            routes: by message ID.
            switches: a `Switch` for each of the same IDs. (mypy takes a callable attribute for one that cannot be
                set, so it does not see that a route is one.)
        """
        self._settings = settings
        self._routes = routes
        self._switches = switches
        self._lock = threading.Lock()
        self._troubles: dict[int, _Trouble] = {}
        self._changed = False

    # -- what becomes of messages --------------------------------------------------------------------------

    def failed(self, request: Request, error: BaseException) -> None:
        """A handler has failed with this error. Not to be called for what a plugin tells its client on purpose."""
        last = describe(error)
        with self._lock:
            trouble = self._trouble(request.route)
            if trouble is None:
                return
            trouble.failures += 1
            if trouble.span:
                self._prolong(trouble, request, "failed when it was tried again", last)
            elif trouble.failures >= self._settings.failures:
                self._begin(trouble, f"failed {_times(trouble.failures)} in a row", last)

    def timed_out(self, request: Request, seconds: float) -> None:
        """A handler has been given up after so many seconds; what comes of it later is not told."""
        with self._lock:
            trouble = self._trouble(request.route)
            if trouble is None:
                return
            trouble.timeouts += 1
            took = f"took longer than {seconds:g} s"
            if trouble.span:
                self._prolong(trouble, request, f"{took} when it was tried again", "")
            elif trouble.timeouts >= self._settings.timeouts:
                self._begin(trouble, f"{took} {_times(trouble.timeouts)} in a row", "")

    def holds_all(self, request: Request) -> None:
        """A handler that was given up is one of those that hold every business thread of the worker."""
        with self._lock:
            trouble = self._trouble(request.route)
            if trouble is not None and not trouble.span:
                self._begin(trouble, "hung, with others, until every business thread was held", "")

    def succeeded(self, request: Request) -> None:
        """A handler has succeeded. Needed only if its switch says `troubled`; else it is only cheap."""
        if request.id not in self._troubles:
            return
        with self._lock:
            trouble = self._troubles.get(request.id)
            if trouble is None:
                return
            if not trouble.span:
                self._forget(trouble)
            elif trouble.probe is request:
                self._forget(trouble)
                logger.warning(f"{trouble} is released: it has handled a message again")

    def undecided(self, request: Request) -> None:
        """A message has been refused, and nothing follows for its handler: if it was the try, the next one is."""
        if request.id not in self._troubles:
            return
        with self._lock:
            trouble = self._troubles.get(request.id)
            if trouble is not None and trouble.probe is request:
                trouble.probe = None
                self._changed = True

    # -- what operators see and do -------------------------------------------------------------------------

    def inherit(self, message_id: int, reason: str, span: float) -> None:
        """Go on with what the worker whose place this one takes had quarantined."""
        with self._lock:
            route = self._routes.get(message_id)
            if route is not None and (trouble := self._trouble(route)) is not None and not trouble.span:
                self._begin(trouble, reason, "", span)

    def release(self, message_id: int) -> bool:
        """Let an ID's messages reach its handler again. Returns whether it was quarantined."""
        with self._lock:
            trouble = self._troubles.get(message_id)
            if trouble is None or not trouble.span:
                return False
            self._forget(trouble)
            logger.warning(f"{trouble} is released by command")
            return True

    def quarantined(self) -> list[Quarantined]:
        """The quarantined IDs, in their order."""
        with self._lock:
            found = [trouble.describe() for trouble in self._troubles.values() if trouble.span]
        return sorted(found, key=lambda one: one.id)

    def take_change(self) -> bool:
        """Whether something has changed for operators since the last call."""
        changed, self._changed = self._changed, False
        return changed

    # -- with the lock held --------------------------------------------------------------------------------

    def _trouble(self, route: Route) -> _Trouble | None:
        if not self._settings.enabled:
            return None
        trouble = self._troubles.get(route.id)
        if trouble is None:
            switch = self._switches[route.id]
            trouble = self._troubles[route.id] = _Trouble(route, switch)
            switch.troubled = True
        return trouble

    def _forget(self, trouble: _Trouble) -> None:
        del self._troubles[trouble.route.id]
        trouble.switch.function = trouble.handler
        trouble.switch.troubled = False
        self._changed = self._changed or trouble.span > 0
        trouble.span = 0.0

    def _begin(self, trouble: _Trouble, reason: str, last: str, span: float = 0.0) -> None:
        trouble.since = time.time()
        # As a wrapper of the handler: who looks for the handler's own code finds it.
        instead = functools.partial(self._admit, trouble)
        trouble.switch.function = functools.update_wrapper(instead, trouble.handler)
        self._leave_alone(trouble, span or self._settings.first, reason, last)

    def _prolong(self, trouble: _Trouble, request: Request, reason: str, last: str) -> None:
        if trouble.probe is request:  # else it had begun before
            self._leave_alone(trouble, trouble.span * 2, reason, last)

    def _leave_alone(self, trouble: _Trouble, span: float, reason: str, last: str) -> None:
        trouble.reason, trouble.last = reason, last
        trouble.probe = None
        trouble.span = min(span, self._settings.longest)
        trouble.until = time.monotonic() + trouble.span
        self._changed = True
        more = f"; the last: {last}" if last else ""
        logger.error(f"{trouble} is quarantined for {trouble.span:g} s: it {reason}{more}")

    # -- in a quarantined handler's place ------------------------------------------------------------------

    def _admit(self, trouble: _Trouble, request: Request) -> object:
        with self._lock:
            if trouble.span and (refusal := self._refuse(trouble)):
                return refusal
            if trouble.span:
                trouble.probe = request
                self._changed = True
                logger.info(f"{trouble} is tried again, with a message from {request.connection.peer}")
        return trouble.handler(request)

    def _refuse(self, trouble: _Trouble) -> Refusal | None:
        left = trouble.until - time.monotonic()
        if trouble.probe is not None:
            when = "it is being tried again now"
        elif left > 0:
            when = f"it is tried again in {max(left, 0.1):.1f} s"
        else:
            return None
        text = f"message ID {trouble.route.id} is quarantined: its handler {trouble.reason}; {when}"
        return Refusal(QUARANTINED, text, counted_as="quarantined")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
