"""Calls, messages and streams of threads, on whatever has a link for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, Unpack, overload

from commscaffoldd.client.blocking_waiter import BlockingCall, BlockingStream
from commscaffoldd.client.errors import ClientError, ConnectionClosed, NotHandled
from commscaffoldd.client.link import Link
from commscaffoldd.client.settings import CallOptions, Settings, StreamOptions
from commscaffoldd.client.slots import Slots
from commscaffoldd.client.typed import Typing
from commscaffoldd.codecs import Format

T = TypeVar("T")


class Links(Protocol):
    """Where a link is had from."""

    def check_thread(self) -> None:
        """Raises ClientError in a thread that must not wait for a reply."""

    def check_sender(self) -> None:
        """Raises ClientError in a thread that must not wait for a link."""

    def link(self, deadline: float) -> Link:
        """A link; waits for one. Raises TimeoutError, ConnectionClosed."""

    def retire(self, link: Link) -> None:
        """This one takes no more calls."""


class Caller:
    """What sends messages and gets replies: a `Client`, or what `on_connect` is given. Any thread."""

    def __init__(self, settings: Settings, links: Links) -> None:
        """For the client library's own use."""
        self._settings = settings
        self._links = links
        self._process = os.getpid()
        self._typing = Typing(str(settings.address))
        self._slots = Slots(settings.most_in_flight)

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
            ClientError: it was called within `on_push` or `on_state`, by the thread that would receive the reply; or
                on the client, within `on_connect`.
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
        self._links.check_sender()
        data = self._typing.encode(body, format)
        deadline = time.monotonic() + self._settings.seconds(timeout)
        while True:
            link = self._links.link(deadline)
            try:
                link.send(message_id, data, deadline)
            except NotHandled:
                if self._settings.reconnect is None:
                    raise
                self._links.retire(link)
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
        self._settings.check_streams()
        seconds = self._settings.seconds(timeout)
        decode = self._typing.decoder(message_id, reply, format)
        return self._stream(message_id, self._typing.encode(body, format), decode, count, until, quiet, seconds)

    def _call(self, message_id: int, body: bytes, timeout: float | None, *, retry: bool) -> bytes:
        seconds = self._settings.seconds(timeout)
        deadline = time.monotonic() + seconds
        self._take_slot(deadline, seconds)
        try:
            while True:
                link = self._links.link(deadline)
                waiter = BlockingCall()
                try:
                    link.call(waiter, message_id, body, deadline)
                    return waiter.wait(deadline - time.monotonic())
                except NotHandled:
                    if self._settings.reconnect is None:
                        raise
                    self._links.retire(link)
                except ConnectionClosed:
                    if not retry:
                        raise
                    self._links.retire(link)
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
                link = self._links.link(deadline)
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
                    self._links.retire(link)
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
        self._links.check_thread()
        if not self._slots.take(deadline):
            limit = self._settings.most_in_flight
            raise TimeoutError(f"{self._settings.address}: {limit} calls were in flight for {seconds:g} seconds")

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise ClientError("this client was made before a fork; make one in each process")
