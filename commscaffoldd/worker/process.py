"""A worker process, from its first instruction after the fork to `os._exit`."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from typing import Any, Final, Literal, NoReturn

from commscaffoldd.core.service_thread import ServiceThread
from commscaffoldd.log import LogFile
from commscaffoldd.plugin.causes import log_causes
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import PluginHost, WorkerInfo
from commscaffoldd.worker.assembly import SERVICE_STOP, Worker
from commscaffoldd.worker.capture.captures import Captures
from commscaffoldd.worker.channel import Channel, Command, send
from commscaffoldd.worker.handover.orders import Orders
from commscaffoldd.worker.launch import Launch
from commscaffoldd.worker.life import PluginLife
from commscaffoldd.worker.limits import raise_descriptor_limit
from commscaffoldd.worker.plugins import load_host
from commscaffoldd.worker.reports import Reports
from commscaffoldd.worker.signals import dump_stacks_to, install_handlers, reset_signals
from commscaffoldd.worker.timers import sharpen_timers
from commscaffoldd.worker.views import describe_connections, describe_routes

logger = logging.getLogger(__name__)

STOPPED: Final = 0
CRASHED: Final = 1
FAILED_TO_START: Final = 3
MASTER_DIED: Final = 4

HOOKS_STOP: Final = 0.4  # seconds in which async hooks end at least, also where all of stop_timeout has been used
LOOP_STOP: Final = 0.2  # seconds for the event loop to end once all that runs on it has been cancelled
CAPTURE_STOP: Final = 1.0  # seconds in which a worker that stops brings its last records to whoever captures
ORPHAN_STOP: Final = 0.5  # seconds in which a worker whose master has died finishes what it has
ORPHAN_END: Final = 0.9  # seconds after which it ends, whatever it is doing

FailureKind = Literal["plugin", "config", "start"]


def run_worker(launch: Launch) -> NoReturn:
    """Be a worker. Called in a forked child of the master, without threads; leaves by `os._exit`.

    `sys.exit` would run the master's clean-up, inherited by the fork: its pidfile, its atexit functions.
    """
    reset_signals()
    dump_stacks_to(launch.log.fileno())  # for good: reopening the log keeps the descriptor
    launch.log.set_role(f"worker {launch.number}")
    raise_descriptor_limit(launch.config.connections.max)
    sharpen_timers()
    try:
        host = load_host(launch.config)
        life = PluginLife(host, WorkerInfo(launch.number, os.getpid()))
        life.start(SERVICE_STOP)  # first: the hook makes what all others are given
        worker = Worker(launch, host, life.event_loop)
    except PluginErrors as errors:
        log_causes(errors.errors)
        _fail(launch, "plugin", [str(error) for error in errors.errors])
    except (OSError, ValueError) as error:
        _fail(launch, "start", [f"worker {launch.number}: {error}"])
    _Process(launch, host, worker, life).run()


def _fail(launch: Launch, kind: FailureKind, errors: list[str]) -> NoReturn:
    send(launch.channel, {"event": "failed", "kind": kind, "errors": errors}, threading.Lock())
    os._exit(FAILED_TO_START)


class _Process:
    """The running worker: commands of the master, signals, and the end."""

    def __init__(self, launch: Launch, host: PluginHost, worker: Worker, life: PluginLife) -> None:
        self._launch = launch
        self._life = life
        self._host = host
        self._worker = worker
        self._captures = Captures(worker.core, launch.number, os.getpid())
        self._exit_code = STOPPED
        self._stop_by = float("inf")  # monotonic
        self._channel = Channel(
            launch.channel,
            {
                "stop": self._stop,
                "quit": self._quit,
                "reopen": self._reopen,
                "connections": self._connections,
                "routes": self._routes,
                "timers": self._timers,
                "release": self._release,
                "inherit": self._inherit,
            },
            self._orphaned,
        )

    def run(self) -> NoReturn:
        """Serve until stopped."""
        install_handlers(self._terminate, lambda: _reopen_or_complain(self._launch.log))
        # What has been loaded stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        threading.excepthook = _end_with_thread
        self._worker.start(Reports(self._worker.quarantine, self._channel.tell))
        core, endpoints = self._worker.core, self._worker.endpoints
        Orders(self._launch.orders, core, endpoints, self._channel.tell, self._captures.begin)
        self._channel.start()
        self._channel.tell({"event": "ready"})
        try:
            self._worker.reactor.run()
            self._end()
        except BaseException:
            logger.exception("the worker ended by an unexpected error: please report this")
            os._exit(CRASHED)
        os._exit(self._exit_code)

    def _end(self) -> None:
        remaining = max(0.0, min(self._stop_by - time.monotonic(), self._launch.config.daemon.stop_timeout))
        busy = self._worker.stop(remaining)
        if busy:
            logger.warning(f"{busy} handlers were still running after stop_timeout: they end unfinished")
        self._life.stop(LOOP_STOP, max(self._stop_by, time.monotonic() + HOOKS_STOP))
        self._captures.stop(CAPTURE_STOP)

    def _begin_stop(self, timeout: float) -> None:
        self._stop_by = min(self._stop_by, time.monotonic() + timeout)
        self._worker.stop_timers_soon()
        self._worker.reactor.stop(timeout)

    # -- the main thread, as signal handler ----------------------------------------------------------------

    def _terminate(self) -> None:
        self._begin_stop(self._launch.config.daemon.stop_timeout)

    # -- the channel's thread ------------------------------------------------------------------------------

    def _stop(self, command: Command) -> None:
        self._channel.tell({"event": "stopping"})
        self._begin_stop(float(command["timeout"]))

    def _quit(self, _: Command) -> NoReturn:
        os._exit(STOPPED)

    def _reopen(self, _: Command) -> dict[str, Any]:
        error = _reopen_or_complain(self._launch.log)
        return {"ok": True} if error is None else {"error": error}

    def _connections(self, _: Command) -> dict[str, Any]:
        return describe_connections(self._worker.engine.open_slots(), self._launch.number)

    def _routes(self, _: Command) -> dict[str, Any]:
        return {"routes": describe_routes(self._host, self._launch.config.business.handler_timeout)}

    def _timers(self, _: Command) -> dict[str, Any]:
        return {"timers": self._worker.describe_timers()}

    def _release(self, command: Command) -> dict[str, Any]:
        return {"released": self._worker.quarantine.release(int(command["id"]))}

    def _inherit(self, command: Command) -> None:
        for row in command["quarantined"]:
            self._worker.quarantine.inherit(int(row["id"]), str(row["reason"]), float(row["span"]))

    def _orphaned(self) -> None:
        logger.error("the master has died: this worker stops")
        self._exit_code = MASTER_DIED
        self._begin_stop(ORPHAN_STOP)
        time.sleep(ORPHAN_END)
        os._exit(MASTER_DIED)


def _end_with_thread(ended: threading.ExceptHookArgs) -> None:
    """A thread has ended by an exception. Without one of ours a worker would be mute: the master has a better one.

    Handlers' exceptions do not come here, but those of threads that plugins start do: their loss is the plugin's.
    """
    thread = ended.thread
    name = thread.name if thread is not None else "unknown"
    logger.error(
        f"thread {name} ended by an unexpected {ended.exc_type.__name__}: {ended.exc_value}", exc_info=ended.exc_value
    )
    if isinstance(thread, ServiceThread):
        os._exit(CRASHED)


def _reopen_or_complain(log: LogFile) -> str | None:
    try:
        log.reopen()
    except OSError as error:
        text = f"cannot reopen the log {log.path}: {error.strerror}; the old file stays in use"
        logger.error(text)  # noqa: TRY400  # the text says it all
        return text
    return None
