"""The blocking client: many threads, one connection or several; each call gets its own reply."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

from commscaffoldd.client.blocking_waiter import BlockingCall, BlockingStream
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed, NotHandled
from commscaffoldd.client.keeper import Keeper
from commscaffoldd.client.notify import notify
from commscaffoldd.client.push_queue import PushQueue
from commscaffoldd.client.settings import AnyLayout, CallOptions, Options, Settings, StreamOptions, read_layout
from commscaffoldd.client.slots import Slots
from commscaffoldd.client.typed import Typing
from commscaffoldd.codecs import Format
from commscaffoldd.core.address import Address

T = TypeVar("T")


class Client:
    """A client for any number of threads; a context manager, which closes it.

        with Client("127.0.0.1:9000") as client:
            assert client.call(1, b"hello") == b"hello"

    It has a thread for each connection, which receives. It does not survive a fork: make one in each process.
    """

    def __init__(self, address: Address | str, layout: AnyLayout = "standard", **options: Unpack[Options]) -> None:
        """Connect.

        Args:
            address: `host:port`, `[v6]:port` or `unix:/path`.
            layout: a preset's name, a `Layout`, or what the configuration has in `[layout.NAME]`: the table, or only
                its `fields`.
            options: see `Settings`.

        Raises:
            ValueError: not an address, not a layout, an option that cannot be.
            OSError: it cannot be reached (TimeoutError, ConnectionRefusedError, ssl.SSLError, ...).
        """
        where = Address.parse(address) if isinstance(address, str) else address
        self._settings = Settings(address=where, layout=read_layout(layout), **options)
        self._process = os.getpid()
        self._typing = Typing(str(where))
        self._pushes = PushQueue(self._settings.push_queue)
        self._slots = Slots(self._settings.most_in_flight)
        self._keeper = Keeper(self._settings, self._take_push)

    def __enter__(self) -> Self:
        """Itself, connected."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close all connections; calls in flight raise ConnectionClosed. Closing twice does nothing."""
        if self._process == os.getpid():  # else the threads do not exist here, and who holds the locks neither
            self._keeper.close()
            self._pushes.close()

    @property
    def pushes_dropped(self) -> int:
        """Pushes that nobody took in time."""
        return self._pushes.dropped

    @overload
    def call(self, message_id: int, body: object = ..., **how: Unpack[CallOptions]) -> bytes: ...

    @overload
    def call(self, message_id: int, body: object = ..., *, reply: type[T], **how: Unpack[CallOptions]) -> T: ...

    def call(
        self,
        message_id: int,
        body: object = b"",
        *,
        reply: type[Any] = bytes,
        format: Format | None = None,  # noqa: A002  # the codecs' own word
        timeout: float | None = None,
        retry: bool = False,
    ) -> Any:
        """Send a message and wait for its reply's body.

        Args:
            message_id: not sent where the layout has no ID.
            body: the message: bytes, or a value that there is a codec for, such as a `msgspec.Struct`.
            reply: the type of the reply; by default bytes.
            format: how values travel that have no encoding of their own: "msgpack", the default, or "json".
            timeout: seconds for all of it; by default the client's.
            retry: handling it twice does no harm: it is sent again if the connection breaks before the reply comes.

        Raises:
            ErrorReply: the daemon answered with an error.
            TimeoutError: no reply in time. It may still be handled.
            ConnectionClosed: the connection broke. It may have been handled.
            ClientError: it was called within `on_push` or `on_state`, by the thread that would receive the reply.
            FrameError: what came was no frame, and the connection has been closed for it.
            ValueError: it does not fit the layout; nothing was sent.
            NoCodecError: there is no codec for the body or the reply; nothing was sent.
            BadReply: the reply's body is not of that type.
        """
        data = self._typing.encode(body, format)
        if reply is bytes:
            return self._call(message_id, data, timeout, retry=retry)
        decode = self._typing.decoder(message_id, reply, format)
        return decode(self._call(message_id, data, timeout, retry=retry))

    def send(
        self,
        message_id: int,
        body: object = b"",
        *,
        format: Format | None = None,  # noqa: A002
        timeout: float | None = None,
    ) -> None:
        """Send a message, and wait for nothing but that it is sent: whether it is handled, nobody says.

        Raises:
            TimeoutError, ConnectionClosed, ValueError: as `call`.
        """
        self._check_process()
        data = self._typing.encode(body, format)
        deadline = time.monotonic() + self._settings.seconds(timeout)
        while True:
            link = self._keeper.link(deadline)
            try:
                link.send(message_id, data, deadline)
            except NotHandled:
                if self._settings.reconnect is None:
                    raise
                self._keeper.retire(link)
            else:
                return

    @overload
    def stream(self, message_id: int, body: object = ..., **how: Unpack[StreamOptions]) -> Iterator[bytes]: ...

    @overload
    def stream(
        self, message_id: int, body: object = ..., *, reply: type[T], **how: Unpack[StreamOptions]
    ) -> Iterator[T]: ...

    def stream(
        self,
        message_id: int,
        body: object = b"",
        *,
        reply: type[Any] = bytes,
        format: Format | None = None,  # noqa: A002
        count: int | None = None,
        until: Callable[[Any], bool] | None = None,
        quiet: float | None = None,
        timeout: float | None = None,
    ) -> Iterator[Any]:
        """Send a message when the iteration begins, and give the bodies of all its replies, as they come.

        Nothing on the wire says which reply is the last one. So it ends when the program stops iterating, or:

        Args:
            message_id: as for `call`.
            body: as for `call`.
            reply: as for `call`.
            format: as for `call`.
            count: after so many replies.
            until: after the first reply for which this is true.
            quiet: once nothing has come for so many seconds.
            timeout: seconds that each reply may take, else it raises TimeoutError; by default the client's.

        Raises:
            ValueError: the layout has no sequence to tell the replies by, or it does not fit the layout.
            StreamOverrun: the program takes the replies too slowly.
            ErrorReply, TimeoutError, ConnectionClosed, FrameError: as `call`.
        """
        if not self._settings.layout.has_sequence:
            raise ValueError(f"layout {self._settings.layout.name} has no sequence: streams need one")
        seconds = self._settings.seconds(timeout)
        decode = self._typing.decoder(message_id, reply, format)
        return self._stream(message_id, self._typing.encode(body, format), decode, count, until, quiet, seconds)

    def pushes(self) -> Iterator[Push]:
        """Pushes, as they come, until the client is closed. Each goes to one of those who iterate."""
        while (push := self.next_push()) is not None:
            yield push

    def next_push(self, timeout: float | None = None) -> Push | None:
        """The next push; `None` once the client is closed.

        Raises:
            TimeoutError: none within so many seconds.
            ValueError: pushes go to `on_push`.
        """
        if self._settings.on_push is not None:
            raise ValueError("this client's pushes go to on_push")
        self._check_process()
        return self._pushes.get(timeout)

    def _call(self, message_id: int, body: bytes, timeout: float | None, *, retry: bool) -> bytes:
        seconds = self._settings.seconds(timeout)
        deadline = time.monotonic() + seconds
        self._take_slot(deadline, seconds)
        try:
            while True:
                link = self._keeper.link(deadline)
                waiter = BlockingCall()
                try:
                    link.call(waiter, message_id, body, deadline)
                    return waiter.wait(deadline - time.monotonic())
                except NotHandled:
                    if self._settings.reconnect is None:
                        raise
                    self._keeper.retire(link)
                except ConnectionClosed:
                    if not retry:
                        raise
                    self._keeper.retire(link)
                except TimeoutError as error:
                    link.abandon(waiter)
                    raise self._no_reply(message_id, seconds, error) from None
                except BaseException:  # Ctrl-C
                    link.abandon(waiter)
                    raise
        finally:
            self._slots.give()

    def _stream(
        self,
        message_id: int,
        body: bytes,
        decode: Callable[[bytes], T],
        count: int | None,
        until: Callable[[T], bool] | None,
        quiet: float | None,
        seconds: float,
    ) -> Iterator[T]:
        deadline = time.monotonic() + seconds
        self._take_slot(deadline, seconds)
        try:
            given = 0
            while count is None or given < count:
                link = self._keeper.link(deadline)
                stream = BlockingStream()
                try:
                    link.call(stream, message_id, body, deadline)
                    while count is None or given < count:
                        reply = decode(stream.next(seconds if quiet is None else min(quiet, seconds)))
                        given += 1
                        yield reply
                        if until is not None and until(reply):
                            return
                except NotHandled:  # then no reply has come
                    if self._settings.reconnect is None:
                        raise
                    self._keeper.retire(link)
                except TimeoutError as error:
                    if quiet is not None and quiet <= seconds and not error.args:
                        return
                    raise self._no_reply(message_id, seconds, error) from None
                finally:
                    link.abandon(stream)
        finally:
            self._slots.give()

    def _no_reply(self, message_id: int, seconds: float, error: TimeoutError) -> TimeoutError:
        if error.args:  # it was not even sent
            return error
        return TimeoutError(
            f"{self._settings.address}: no reply to message ID {message_id} within {seconds:g} seconds"
        )

    def _take_slot(self, deadline: float, seconds: float) -> None:
        self._check_process()
        self._keeper.check_thread()
        if not self._slots.take(deadline):
            limit = self._settings.most_in_flight
            raise TimeoutError(f"{self._settings.address}: {limit} calls were in flight for {seconds:g} seconds")

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise ClientError("this client was made before a fork; make one in each process")

    def _take_push(self, push: Push) -> None:
        if self._settings.on_push is None:
            self._pushes.put(push)
            return
        notify(self._settings.on_push, push, f"on_push of the client of {self._settings.address}")
