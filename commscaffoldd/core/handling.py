"""Running one message's handler, and what the client and the log get when it fails."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Final

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import CANCELLED, Deferred
from commscaffoldd.core.endpoint import BAD_BODY, HANDLER_FAILED, Endpoint
from commscaffoldd.core.error_text import describe
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.refusal import Refusal, Refuse
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.running import Running
from commscaffoldd.core.slot import Reply, as_body

logger = logging.getLogger(__name__)


QUIET: Final = 1.0  # seconds in which a message ID's further failures are counted instead of logged


class FailureLog:
    """Logs failing handlers: with traceback, plugin, message ID and peer, but at most once a second for each ID.

    A handler that fails for every message of a busy service would otherwise fill the disk.
    """

    def __init__(self, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._last: dict[int, tuple[float, int]] = {}  # message ID: when it was logged, how many since; one per route

    def report(self, request: Request, error: BaseException) -> None:
        """Log it, or count it. Any thread."""
        now = time.monotonic()
        with self._lock:
            last, held_back = self._last.get(request.id, (-math.inf, 0))
            if now - last < self._quiet:
                self._last[request.id] = (last, held_back + 1)
                return
            self._last[request.id] = (now, 0)
        more = f" ({held_back} more failures of this ID since the last line)" if held_back else ""
        logger.error(
            f"handler {request.route.name} of plugin {request.route.plugin} failed: "
            f"message ID {request.id} from {request.connection.peer}: {describe(error)}{more}",
            exc_info=error,
            extra={"connection": request.connection.id},
        )


class HandlerRunner:
    """Calls handlers and turns what they return into replies. Any thread; the counters are the caller's."""

    def __init__(self, failures: FailureLog, quarantine: Quarantine) -> None:
        self._failures = failures
        self._quarantine = quarantine

    def run(  # noqa: PLR0911  # the commonest ends come first, each in as few steps as can be
        self, request: Request, endpoint: Endpoint, counters: Counters, running: Running
    ) -> Reply | None:
        """The reply to a request: the handler's, an error reply if it failed, or `None` for none.

        Whatever a handler does, raising SystemExit among it, this returns: connection and worker live on. If it
        was given up meanwhile, there is no reply: the watchdog has sent one. `running` is the calling thread's.
        """
        route = request.route
        running.work = request
        try:
            result = route.function(request)
        except BaseException as error:  # noqa: BLE001  # a handler must not end a thread of ours
            running.work = None
            request.returned = True
            if running.overdue is None or not running.came_late():
                return self.fail(request, endpoint, counters, error)
            self.fail_late(request, counters, error)
            return None
        running.work = None
        request.returned = True
        if running.overdue is not None and running.came_late():
            self.finish_late(request, counters, result)
            return None
        if request.deferred is not None:
            return self.defer(request, request.deferred, endpoint, counters, result)
        if result is None:
            if route.troubled:
                self.succeed(request)
            return None
        if type(result) is bytes:
            # This is Layout.check_fits, spelled out: it is paid for each message.
            layout = endpoint.layout
            if layout.min_body <= len(result) <= layout.max_body and request.id <= layout.max_id:
                if route.troubled:
                    self.succeed(request)
                return request.id, request.sequence, result
        return self.finish(request, endpoint, counters, result)

    def finish(self, request: Request, endpoint: Endpoint, counters: Counters, result: object) -> Reply | None:
        """The reply from what a handler has returned, which is not `None`; an error reply if it cannot be sent."""
        if type(result) is Refusal:
            if result.counted_as:
                setattr(counters, result.counted_as, getattr(counters, result.counted_as) + 1)
            self._quarantine.undecided(request)
            return endpoint.error_reply(request.id, request.sequence, result.code, result.text)
        try:
            body = _as_reply(request.route, result)
            endpoint.layout.check_fits(request.id, len(body))
        except (TypeError, ValueError) as error:
            return self.fail(request, endpoint, counters, error)
        self.succeed(request)
        return request.id, request.sequence, body

    def defer(
        self, request: Request, deferred: Deferred, endpoint: Endpoint, counters: Counters, result: object
    ) -> Reply | None:
        """The reply, if there is to be one at once, for a handler that has deferred it and returned this."""
        if result is None or result is deferred:
            return None
        if type(result) is Refusal:
            deferred.abandon()
            return self.finish(request, endpoint, counters, result)
        error = TypeError(
            f"{request.route.name} returned {type(result).__name__} after request.defer(); expected None, or what "
            "defer() gave: the reply is what that is told"
        )
        return self.fail(request, endpoint, counters, error)

    def complete(self, deferred: Deferred, endpoint: Endpoint, counters: Counters) -> Reply | None:
        """The reply to a deferred message, now that it has been settled. The reactor's thread."""
        request = deferred.request
        try:
            result = deferred.outcome()
        except BaseException as error:  # noqa: BLE001  # a plugin must not end a thread of ours
            return self.fail(request, endpoint, counters, error)
        if result is CANCELLED:
            self._quarantine.undecided(request)
            return None
        if result is None:
            self.succeed(request)
            return None
        return self.finish(request, endpoint, counters, result)

    def succeed(self, request: Request) -> None:
        """Tell the quarantine that all is well; needed if the handler had been in trouble."""
        self._quarantine.succeeded(request)

    def fail(self, request: Request, endpoint: Endpoint, counters: Counters, error: BaseException) -> Reply | None:
        """The error reply for a handler that raised, if the endpoint has them; a failure is logged, and counted."""
        _abandon(request)
        if isinstance(error, Refuse):
            return self._refuse(request, endpoint, error)
        counters.handler_errors += 1
        self._failures.report(request, error)
        self._quarantine.failed(request, error)
        return endpoint.error_reply(request.id, request.sequence, HANDLER_FAILED, "the handler failed")

    def _refuse(self, request: Request, endpoint: Endpoint, refuse: Refuse) -> Reply | None:
        """A handler that refuses a message is well. A body that does not fit has not reached it."""
        if refuse.code == BAD_BODY:
            self._quarantine.undecided(request)
        else:
            self.succeed(request)
        return endpoint.error_reply(request.id, request.sequence, refuse.code, refuse.text)

    def finish_late(self, request: Request, counters: Counters, result: object) -> None:
        """What a handler has returned after it was given up: nobody gets it."""
        _abandon(request)
        counters.late_replies += result is not None

    def fail_late(self, request: Request, counters: Counters, error: BaseException) -> None:
        """A handler has failed after it was given up: that counts as one time-out, and its client has been told."""
        if isinstance(error, Refuse):
            self.finish_late(request, counters, error)
            return
        _abandon(request)
        counters.handler_errors += 1
        self._failures.report(request, error)


def _abandon(request: Request) -> None:
    """Nothing comes of a deferral any more, if there is one: the handler has been answered for."""
    if request.deferred is not None:
        request.deferred.abandon()


def _as_reply(route: Route, result: object) -> bytes:
    try:
        return as_body(result)
    except TypeError:
        raise TypeError(
            f"{route.name} returned {type(result).__name__}; expected bytes for a reply, or None for none"
        ) from None
