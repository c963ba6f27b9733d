"""A worker for a test: the daemon's own, in this process, on a port of its own, with the plugins under test."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from msgspec import structs

from commscaffoldd.client import AsyncClient, Client, FrameClient
from commscaffoldd.client.settings import AsyncOptions, CommonOptions, Options
from commscaffoldd.config.schema import Config
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Statistics
from commscaffoldd.core.layout import Layout
from commscaffoldd.log.logfile import LogFile
from commscaffoldd.plugin.host import PluginHost, WorkerInfo
from commscaffoldd.testing.failures import PATIENCE, Errors, caught_errors
from commscaffoldd.testing.sources import Named
from commscaffoldd.testing.subject import Subject, Wish
from commscaffoldd.worker.assembly import Worker
from commscaffoldd.worker.launch import Launch, ListenSocket
from commscaffoldd.worker.life import PluginLife

STOP: Final = 5.0  # seconds for handlers to end
STANDARD_ERROR: Final = 2

Value = TypeVar("Value")


class Server:
    """A running worker: engine, reactor, business threads and watchdogs, as the daemon has them.

    What the master does is missing: there is one process, no reload, no control socket. A context manager.

    Attributes:
        errors: what has failed: handlers, hooks, threads. The fixture `server` fails the test for what is in it.
        host: the plugins.
        config: the configuration in effect.
    """

    def __init__(self, host: PluginHost, config: Config) -> None:
        """Not started yet.

        Args:
            host: the plugins.
            config: their configuration, from `make_config`.
        """
        self.host = host
        self.config = config
        self.errors = Errors()
        self._undo = contextlib.ExitStack()
        self._clients = contextlib.ExitStack()  # ended before the rest
        self._sockets: list[ListenSocket] = []
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        """Start, if it does not run already."""
        if self._worker is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    # -- its life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, call the hooks `self_test` and `worker_started`, and serve.

        Raises:
            PluginErrors: what the hooks raised.
            OSError: it cannot listen.
        """
        with contextlib.ExitStack() as undo:
            undo.enter_context(caught_errors(self.errors))
            undo.callback(sys.setswitchinterval, sys.getswitchinterval())
            launch = _launch(self.config, undo)
            self.host.self_test()
            life = PluginLife(self.host, WorkerInfo(1, os.getpid()))
            life.start(STOP)
            undo.callback(_end, life)
            worker = Worker(launch, self.host, life.event_loop, quiet=0.0)
            worker.start(_Observer())
            self._sockets = launch.sockets
            self._reactor = threading.Thread(target=worker.reactor.run, name="reactor", daemon=True)
            self._reactor.start()
            self._worker = worker
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Close the clients, let handlers end, call `worker_stopping`; twice is harmless.

        Raises:
            AssertionError: a handler still runs after 5 seconds.
        """
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with self._undo:
            self._clients.close()
            worker.reactor.stop(STOP)
            self._reactor.join(2 * STOP)
            busy = worker.stop(STOP)
            if busy or self._reactor.is_alive():
                raise AssertionError("the server does not stop: a handler still runs (does it wait for ever?)")
            worker.engine.shut()

    # -- what a test asks of it ----------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it listens, `127.0.0.1:PORT`; with several listeners, the first."""
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, one for each `[[listen]]`: always on loopback, on a port that was free."""
        return tuple("{}:{}".format(*one.socket.getsockname()) for one in self._sockets)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that are open now, in the order in which they came."""
        assert self._worker is not None, "the server is not running"
        slots = sorted(self._worker.engine.open_slots(), key=lambda slot: slot.opened_at)
        return tuple(slot.connection for slot in slots if slot.connection is not None)

    def client(self, listener: int = 0, **options: Unpack[Options]) -> Client:
        """A client, connected; it is closed at the end. It does not reconnect by itself.

        Args:
            listener: which `[[listen]]`, from 0; the client speaks its layout.
            options: those of `commscaffoldd.client.Client`: `timeout`, say, or `on_push`.
        """
        self._complete(listener, options)
        made = Client(self.addresses[listener], self._layout(listener), **options)
        self._clients.callback(made.close)
        return made

    def async_client(self, listener: int = 0, **options: Unpack[AsyncOptions]) -> AsyncClient:
        """A client for asyncio, to be connected: `async with server.async_client() as client: ...`.

        Args:
            listener: as for `client`.
            options: as for `client`.
        """
        self._complete(listener, options)
        return AsyncClient(self.addresses[listener], self._layout(listener), **options)

    def frame_client(self, listener: int = 0, timeout: float = PATIENCE) -> FrameClient:
        """A client that sends and receives frame by frame, connected; it is closed at the end.

        Args:
            listener: as for `client`.
            timeout: seconds that each step may take.
        """
        default_id = self._sockets[listener].listen.default_id
        made = FrameClient(self.addresses[listener], self._layout(listener), timeout, default_id=default_id)
        self._clients.callback(made.close)
        return made

    def _layout(self, listener: int) -> Layout:
        return self.config.layout_of(self._sockets[listener].listen)

    def _complete(self, listener: int, options: CommonOptions) -> None:
        options.setdefault("reconnect", None)
        options.setdefault("default_id", self._sockets[listener].listen.default_id)

    def until(self, condition: Callable[[], Value], timeout: float = PATIENCE) -> Value:
        """Wait until the condition holds: for what the daemon does behind a client's back, a hook, say.

        Returns:
            What the condition gave.

        Raises:
            AssertionError: it does not hold in time.
        """
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                name = getattr(condition, "__qualname__", repr(condition))
                raise AssertionError(f"{name} did not hold within {timeout:g} seconds; it last gave {value!r}")
            time.sleep(0.001)
        return value


def start_server(
    *plugins: Named,
    settings: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    folders: Sequence[Path] = (),
) -> Server:
    """A running server with these plugins, for a test in another framework than pytest.

        with start_server("plugins/greet") as server:  # stopped at the end
            assert server.client().call(1001, b"world") == b"hello, world"

    Args:
        plugins: paths of plugins' files or package folders, or names of installed ones.
        settings: the plugin's own, if it is one.
        config: sections of the configuration.
        folders: relative paths are taken from the first of these in which they exist; by default the current one.

    Raises:
        SubjectError: a plugin is not there.
        ConfigErrors: something in the configuration is wrong.
        PluginErrors: something in the plugins is, or their hooks raised.
        OSError: it cannot listen.
    """
    subject = Subject.of(Wish(plugins, config or {}, settings or {}), folders or [Path.cwd()])
    server = Server(subject.load(), subject.config)
    server.start()
    return server


class _Observer:
    """Hears what the master should know: there is none."""

    def hung(self, what: str) -> None: ...

    def quarantine_changed(self) -> None: ...


def _launch(config: Config, undo: contextlib.ExitStack) -> Launch:
    folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="commscaffoldd-"))
    config = structs.replace(config, daemon=structs.replace(config.daemon, run_dir=folder))
    sockets = [ListenSocket(listen, undo.enter_context(_listening(listen.backlog))) for listen in config.listen]
    channel, orders = (undo.enter_context(end) for end in socket.socketpair())
    # Not installed: where log lines go is pytest's affair.
    log = LogFile(None, STANDARD_ERROR, config.log.level, config.log.format)
    return Launch(1, config, sockets, channel, orders, log, Statistics(1).row(0), Path(folder, "accept.lock"))


def _listening(backlog: int) -> socket.socket:
    made = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    made.setblocking(False)
    return made


def _end(life: PluginLife) -> None:
    if not life.stop(STOP):
        raise AssertionError("the event loop does not end: something blocks it")
