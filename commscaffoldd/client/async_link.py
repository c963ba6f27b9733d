"""One connection of the asyncio client: a protocol, not streams, which cost a task's turn for each reply."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.client.conversation import NEVER, Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed
from commscaffoldd.client.settings import Settings
from commscaffoldd.client.waiter import Waiter

_LINGER: Final = 1.0  # seconds for what has been written to go out, after closing


class AsyncLink(asyncio.Protocol):
    """See the module's text.

    Attributes:
        taken_at: `time.monotonic` when it was taken into use; before, infinity.
        ended: done when the connection has ended; gives why.
        writable: false while more waits to be sent than should; `on_writable` is called when it is true again.
    """

    def __init__(
        self,
        settings: Settings,
        on_push: Callable[[Push], object],
        on_leaving: Callable[[AsyncLink], object],
        on_writable: Callable[[], object],
    ) -> None:
        """A connection to be; asyncio connects it. `on_push` and `on_leaving` are as for `Link`."""
        self._loop = asyncio.get_running_loop()
        self.taken_at = NEVER
        self._conversation = settings.conversation(time.monotonic())
        self._half_beat = (settings.heartbeat or 0.0) / 2
        self._on_push = on_push
        self._on_leaving = on_leaving
        self._on_writable = on_writable
        self._told = False
        self._on_ready: Callable[[AsyncLink], object] | None = None
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[ClientError] = self._loop.create_future()
        self.writable = True

    @classmethod
    async def open(
        cls,
        settings: Settings,
        context: ssl.SSLContext | None,
        on_push: Callable[[Push], object],
        on_leaving: Callable[[AsyncLink], object],
        on_writable: Callable[[], object],
    ) -> AsyncLink:
        """Connect. Raises OSError (TimeoutError, ConnectionRefusedError, ssl.SSLError, ...)."""
        loop = asyncio.get_running_loop()
        address = settings.address
        hostname = settings.peer_name if context is not None else None

        def make() -> AsyncLink:
            return cls(settings, on_push, on_leaving, on_writable)

        try:
            async with asyncio.timeout(settings.seconds_to_connect):
                if address.path:
                    _, link = await loop.create_unix_connection(
                        make, address.path, ssl=context, server_hostname=hostname
                    )
                else:
                    _, link = await loop.create_connection(
                        make, address.host, address.port, ssl=context, server_hostname=hostname
                    )
        except TimeoutError:
            raise TimeoutError(f"{address}: not connected within {settings.seconds_to_connect:g} seconds") from None
        return link

    def prove(self, on_ready: Callable[[AsyncLink], object]) -> None:
        """See `Link.prove`."""
        data = self._conversation.probe(time.monotonic())
        if data:
            self._on_ready = on_ready
            self._write(data)
        else:
            on_ready(self)

    @property
    def usable(self) -> bool:
        """Whether something new can be asked here."""
        return self._conversation.ended is None and not self._conversation.leaving

    @property
    def in_flight(self) -> int:
        """Requests that wait for replies."""
        return self._conversation.in_flight

    def call(self, waiter: Waiter, message_id: int, body: bytes) -> None:
        """Send a request; `waiter` gets what comes of it. Raises as `Conversation.call`; nothing was sent then."""
        self._write(self._conversation.call(waiter, message_id, body, time.monotonic()))

    def send(self, message_id: int, body: bytes) -> None:
        """Send a message. Raises as `call`."""
        self._write(self._conversation.send(message_id, body, time.monotonic()))

    def abandon(self, waiter: Waiter) -> None:
        """Nobody waits for this one any more."""
        if self._conversation.abandon(waiter):
            self.end(
                ConnectionClosed(
                    f"{self._conversation.peer}: closed by this client, because a call was given up, and without a "
                    "sequence its late reply would be taken for another's"
                )
            )
        else:
            self._finish_leaving()

    def end(self, error: ClientError) -> None:
        """End the connection; who waits is told."""
        self._close()
        self._conversation.end(error)

    # -- called by asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is connected."""
        assert isinstance(transport, asyncio.Transport), "what create_connection makes"
        self._transport = transport
        if self._half_beat:
            self._timer = self._loop.call_later(self._half_beat, self._beat)

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        conversation = self._conversation
        if conversation.ended is not None:
            return
        pushes = conversation.receive(data, time.monotonic())
        if self._on_ready is not None and not conversation.leaving:
            self._on_ready(self)
            self._on_ready = None
        for push in pushes:
            self._on_push(push)
        if conversation.failure is not None:
            self.end(conversation.failure)
        if conversation.leaving:
            if not self._told:
                self._told = True
                self._on_leaving(self)
            self._finish_leaving()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        conversation = self._conversation
        if exc is None:
            conversation.end(conversation.end_of_stream)
        else:
            reset = isinstance(exc, (ConnectionResetError, BrokenPipeError))
            text = "the daemon reset the connection" if reset else str(exc)
            conversation.end(ConnectionClosed(f"{conversation.peer}: {text}"))
        if self._timer is not None:
            self._timer.cancel()
        if self._linger is not None:
            self._linger.cancel()
        self.resume_writing()  # who waits for that shall see that it has ended
        assert conversation.ended is not None, "it has just been ended"
        self.ended.set_result(conversation.ended)

    def pause_writing(self) -> None:
        """The daemon does not read as fast as we write."""
        self.writable = False

    def resume_writing(self) -> None:
        """It has read."""
        self.writable = True
        self._on_writable()

    # -- within --------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        assert self._transport is not None, "it is given out when it is connected"
        if not self._outgoing:
            if self.in_flight <= 1:  # nobody else is about to send: at once is sooner
                self._transport.write(data)
                return
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)

    def _flush(self) -> None:
        """Send all that was written in this turn of the loop with one system call."""
        if self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(data)

    def _finish_leaving(self) -> None:
        if self._conversation.leaving and not self._conversation.in_flight:
            self._close()

    def _close(self) -> None:
        """Send what waits for that, but do not wait long for a daemon that does not read."""
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._linger = self._loop.call_later(_LINGER, self._transport.abort)

    def _beat(self) -> None:
        try:
            data = self._conversation.beat(time.monotonic())
        except ConnectionClosed as silent:
            self._conversation.end(silent)
            if self._transport is not None:
                self._transport.abort()
            return
        if data:
            self._write(data)
        self._timer = self._loop.call_later(self._half_beat, self._beat)
