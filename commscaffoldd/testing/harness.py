"""A plugin without a daemon: its handlers are called as the daemon calls them, by the test and without sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from commscaffoldd.client import ConnectionClosed
from commscaffoldd.config.schema import Config
from commscaffoldd.core import reasons
from commscaffoldd.core.endpoint import REFUSED, UNKNOWN_ID
from commscaffoldd.core.event_loop import launched
from commscaffoldd.core.login import login_first
from commscaffoldd.core.route import RouteTable
from commscaffoldd.core.session import pack_session, pack_user, unpack_session, unpack_user
from commscaffoldd.plugin.host import PluginHost, WorkerInfo
from commscaffoldd.plugin.timers import Timer
from commscaffoldd.testing.bodies import Bodies
from commscaffoldd.testing.clock import FakeClock
from commscaffoldd.testing.connection import FakeConnection
from commscaffoldd.testing.exchange import Exchange
from commscaffoldd.testing.failures import Errors, caught_errors
from commscaffoldd.testing.sources import Named
from commscaffoldd.testing.subject import Subject, Wish
from commscaffoldd.worker.life import PluginLife
from commscaffoldd.worker.socketless.handling import Handling

TURNS: Final = 3  # of the event loop: to cancel a task, to let it end, and whoever waits for it
PATIENCE: Final = 5.0  # seconds to wait for a reply that comes from another thread
STOP: Final = 1.0  # seconds for the event loop to end


class PluginHarness:
    """The plugins under test, loaded and started as a worker does it. A context manager, which stops them.

    A handler runs on the thread that calls, with all that the daemon puts around it: the login gate, middleware,
    decoding and encoding, refusals. Nobody counts its failures, and no quarantine comes of them.

    Attributes:
        clock: drives timers, timeouts and deadlines.
        host: the plugins.
        config: the configuration in effect.
    """

    def __init__(self, host: PluginHost, config: Config, clock: FakeClock | None = None) -> None:
        """Not started yet; see `load_plugin`."""
        self.host = host
        self.config = config
        self.clock = clock or FakeClock()
        self._bodies = Bodies(host)
        self._handling = Handling(self.clock, config.business.handler_timeout)
        self._default: FakeConnection | None = None
        self._life: PluginLife | None = None
        self._routes: RouteTable = host.routes

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Call the hooks `self_test` and `worker_started`.

        Raises:
            PluginErrors: what they raised.
        """
        life = PluginLife(self.host, WorkerInfo(1, os.getpid()))
        self.host.self_test()
        life.start(STOP)
        self._life = life
        if life.event_loop is not None:
            self._routes = launched(self.host.routes, life.event_loop)
        for timer in self.host.timers:
            self._plan(timer)

    def stop(self) -> None:
        """Call the hook `worker_stopping`; twice is harmless.

        Raises:
            Exception: what it raised.
        """
        life, self._life = self._life, None
        if life is not None:
            with _raising():
                ended = life.stop(STOP)
            if not ended:
                raise AssertionError("the event loop does not end: something blocks it")

    def _plan(self, timer: Timer) -> None:
        self.clock.at(self.clock.now + timer.mark.seconds, lambda: self._ring(timer))

    def _ring(self, timer: Timer) -> None:
        if self._life is None:  # it has been stopped
            return
        self._plan(timer)  # first: it goes on, whatever this call raises
        result = timer()
        if timer.is_async:
            assert self._life.event_loop is not None, "what is asynchronous has made it necessary"
            self._life.event_loop.call(result, PATIENCE)

    def _catch_up(self) -> None:
        """Let the event loop do what it can do now: begin what it has been given, end what has been cancelled."""
        event_loop = self._life.event_loop if self._life is not None else None
        if event_loop is not None:
            with contextlib.suppress(TimeoutError):  # something blocks it: that is the plugin's, and shows elsewhere
                event_loop.call(_turns(), PATIENCE)

    # -- connections ---------------------------------------------------------------------------------------

    @property
    def connection(self) -> FakeConnection:
        """The client whose messages are those for which no other is named; connected when it is first needed."""
        if self._default is None:
            self._default = self.connect()
        return self._default

    def connect(self, connection: FakeConnection | None = None) -> FakeConnection:
        """A client connects, with the hook `connection_opened`; by default it speaks the first listener's layout.

        Raises:
            Exception: what the hook raised.
        """
        if connection is None:
            listen = self.config.listen[0]
            connection = FakeConnection(listen=listen.address, layout=self.config.layout_of(listen))
        self._await_login(connection)
        if self.host.connection_opened is not None:
            with _raising():
                self.host.connection_opened(connection)
        return connection

    def close(self, connection: FakeConnection | None = None, reason: str = reasons.PEER_CLOSED) -> None:
        """A client goes, with the hook `connection_closed`; by default `connection`.

        Raises:
            Exception: what the hook raised.
        """
        gone = connection or self.connection
        if gone is self._default:
            self._default = None
        gone.go_away()
        self._handling.ending(gone)
        self._catch_up()
        if self.host.connection_closed is not None:
            with _raising():
                self.host.connection_closed(gone, gone.closed or reason)

    def hand_over(self, connection: FakeConnection | None = None) -> FakeConnection:
        """A client moves to another worker, as in a reload: to the same plugins here.

        Returns:
            The connection that the other worker has, with session and user as they travel.

        Raises:
            SessionError: the session holds something that cannot travel.
            Exception: what a hook raised.
        """
        old = connection or self.connection
        if self.host.connection_handing_over is not None:
            with _raising():
                self.host.connection_handing_over(old)
        session, user = unpack_session(pack_session(old.session)), unpack_user(pack_user(old.user))
        new = FakeConnection(connection_id=old.id, peer=old.peer, listen=old.listen, layout=old.endpoint.layout)
        new.restore_session(session)
        new.restore_user(user, old.login_since)
        old.go_away()
        if old is self._default:
            self._default = new
        if self.host.connection_adopted is not None:
            with _raising():
                self.host.connection_adopted(new)
        return new

    def _await_login(self, connection: FakeConnection) -> None:
        seconds = self.config.login.timeout
        if not self.host.login_needed or not seconds:
            return

        def close() -> None:
            if connection.is_open and not connection.authenticated:
                connection.close(reasons.LOGIN_TIMEOUT)
                self.close(connection)

        self.clock.at(self.clock.now + seconds, close)

    # -- messages ------------------------------------------------------------------------------------------

    def begin(self, message_id: int, body: object = b"", *, connection: FakeConnection | None = None) -> Exchange:
        """A client sends a message.

        Args:
            message_id: the message ID.
            body: bytes, or a value of the type that the handler's body has.
            connection: whose message it is; by default `connection`.

        Returns:
            What comes of it: all, if the handler has ended. Not if the reply is deferred, or if the connection's
            message before is not done; an `async def` one has come to where it waits.

        Raises:
            TypeError, ValueError: the body cannot be encoded.
            ConnectionClosed: the connection is closed.
        """
        source = connection or self.connection
        if not source.is_open:
            raise ConnectionClosed(f"the connection is closed: {source.closed or 'its client has gone'}")
        data = self._bodies.encode(message_id, body)
        route = self._routes.get(message_id)
        if route is None:
            unknown = Exchange(message_id, source)
            if self.host.login_needed and not source.authenticated:
                unknown.refused(REFUSED, login_first(message_id))
            else:
                unknown.refused(UNKNOWN_ID, f"no handler for message ID {message_id}")
            unknown.ended()
            return unknown
        exchange = Exchange(message_id, source, lambda reply: self._bodies.decode(message_id, reply))
        self._handling.begin(source, route, source.next_sequence(), data, exchange)
        self._catch_up()
        return exchange

    def call(
        self,
        message_id: int,
        body: object = b"",
        *,
        connection: FakeConnection | None = None,
        timeout: float = PATIENCE,
    ) -> Any:  # noqa: ANN401  # whatever the handler's reply type is
        """A client sends a message, and waits for the reply.

        Args:
            message_id: as for `begin`.
            body: as for `begin`.
            connection: as for `begin`.
            timeout: seconds to wait for a reply that is given by another thread.

        Returns:
            The reply as the handler's annotation has it, bytes without one; `None` if there is none. Of a stream
            the last one: `begin` gives them all.

        Raises:
            ErrorReply: the message was refused, as a client would be told.
            Exception: the handler failed; this is what it raised. A client would be told error 3.
            TimeoutError: there is no reply in time.
            TypeError, ValueError, ConnectionClosed: as `begin`.
        """
        return self.begin(message_id, body, connection=connection).result(timeout)

    async def acall(
        self,
        message_id: int,
        body: object = b"",
        *,
        connection: FakeConnection | None = None,
        timeout: float = PATIENCE,  # noqa: ASYNC109  # as `call` has it
    ) -> Any:  # noqa: ANN401  # see `call`
        """As `call`, for a test that is a coroutine of asyncio: its own loop goes on meanwhile."""
        source = connection or self.connection
        return await asyncio.to_thread(self.call, message_id, body, connection=source, timeout=timeout)


def load_plugin(
    *plugins: Named,
    settings: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    clock: FakeClock | None = None,
    folders: Sequence[Path] = (),
) -> PluginHarness:
    """Plugins for a test in another framework than pytest.

        with load_plugin("plugins/greet") as plugin:  # starts them, and stops them at the end
            assert plugin.call(1001, b"world") == b"hello, world"

    Args:
        plugins: paths of plugins' files or package folders, or names of installed ones.
        settings: the plugin's own, if it is one.
        config: sections of the configuration.
        clock: drives timers, timeouts and deadlines; by default a new one.
        folders: relative paths are taken from the first of these in which they exist; by default the current one.

    Raises:
        SubjectError: a plugin is not there.
        ConfigErrors: something in the configuration is wrong.
        PluginErrors: something in the plugins is.
    """
    subject = Subject.of(Wish(plugins, config or {}, settings or {}), folders or [Path.cwd()])
    return PluginHarness(subject.load(), subject.config, clock)


@contextlib.contextmanager
def _raising() -> Iterator[None]:
    """Have what a hook raises raised here: the daemon would log it, and go on."""
    errors = Errors()
    with caught_errors(errors):
        yield
    for one in errors:
        raise one.error if one.error is not None else AssertionError(str(one))


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
