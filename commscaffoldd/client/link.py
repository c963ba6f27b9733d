"""One connection of the blocking client: many threads send, one receives, and each caller gets its own reply.

Two locks, always taken in this order: `_sending` keeps what is sent in the order in which the conversation knows it,
and may be held for as long as the daemon does not read; `_lock` is the conversation's, held for microseconds. The
thread that receives takes the second alone, so it goes on while others wait to send: else neither side would read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.client.channel import Channel, PartlySent
from commscaffoldd.client.conversation import NEVER, Conversation, Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed
from commscaffoldd.client.waiter import Waiter

_BEAT_PATIENCE: Final = 0.2  # seconds to send a heartbeat: if the socket takes nothing, something is being sent


class Link:
    """See the module's text.

    Attributes:
        taken_at: `time.monotonic` when it was taken into use; before, infinity.
    """

    def __init__(
        self,
        channel: Channel,
        conversation: Conversation,
        on_push: Callable[[Push], object],
        on_leaving: Callable[[Link], object],
    ) -> None:
        """A connection; `run` it.

        Args:
            channel: its socket; closed at the end of `run`.
            conversation: what is said.
            on_push: called with each push, by the thread that runs it.
            on_leaving: called once if the daemon says *go away*, by the same thread.
        """
        self._channel = channel
        self._conversation = conversation
        self._on_push = on_push
        self._on_leaving = on_leaving
        self._told = False
        self._on_ready: Callable[[Link], object] | None = None
        self.taken_at = NEVER
        self._sending = threading.Lock()
        self._lock = threading.RLock()  # the garbage collector, which runs anywhere, may end a stream: `abandon`

    @property
    def usable(self) -> bool:
        """Whether something new can be asked here."""
        return self._conversation.ended is None and not self._conversation.leaving

    @property
    def in_flight(self) -> int:
        """Requests that wait for replies."""
        return self._conversation.in_flight

    # -- any thread ----------------------------------------------------------------------------------------

    def call(self, waiter: Waiter, message_id: int, body: bytes, deadline: float) -> None:
        """Send a request; `waiter` gets what comes of it.

        Raises:
            ValueError, NotHandled, ClientError: as `Conversation.call`; nothing was sent.
            TimeoutError: it could not be sent before the deadline (`time.monotonic`).
        """
        self._acquire(deadline)
        try:
            with self._lock:
                data = self._conversation.call(waiter, message_id, body, time.monotonic())
            try:
                self._channel.send(data, deadline)
            except TimeoutError:
                self.abandon(waiter)
                raise TimeoutError(f"{self._conversation.peer}: the message was not taken in time") from None
            except PartlySent as error:
                self._break(error)  # fails the waiter, too
            except OSError:
                self._channel.shut()  # what came before the end is still to be read, perhaps go away: then it ends
            except BaseException:  # Ctrl-C, perhaps in the middle of the frame
                self._channel.shut()
                raise
        finally:
            self._sending.release()

    def send(self, message_id: int, body: bytes, deadline: float) -> None:
        """Send a message. Raises as `call`, and ConnectionClosed if the connection ended meanwhile."""
        self._acquire(deadline)
        try:
            with self._lock:
                data = self._conversation.send(message_id, body, time.monotonic())
            try:
                self._channel.send(data, deadline)
            except TimeoutError:
                raise TimeoutError(f"{self._conversation.peer}: the message was not taken in time") from None
            except PartlySent as error:
                raise self._break(error) from None
            except OSError:
                self._channel.shut()
                raise ConnectionClosed(f"{self._conversation.peer}: the daemon closed the connection") from None
        finally:
            self._sending.release()

    def abandon(self, waiter: Waiter) -> None:
        """Nobody waits for this one any more."""
        with self._lock:
            if not self._conversation.abandon(waiter):
                self._finish_leaving()
                return
        self.end(
            ConnectionClosed(
                f"{self._conversation.peer}: closed by this client, because a call was given up, and without a "
                "sequence its late reply would be taken for another's"
            )
        )

    def end(self, error: ClientError) -> None:
        """End the connection; who waits is told."""
        with self._lock:
            self._conversation.end(error)
        self._channel.shut()

    # -- the thread that receives --------------------------------------------------------------------------

    def prove(self, on_ready: Callable[[Link], object]) -> None:
        """Before `run`: have `on_ready` called at a sign of life, or at once where there are no heartbeats.

        The system accepts connections for a daemon that is stopping, or hangs: what was sent there would be lost.
        """
        now = time.monotonic()
        data = self._conversation.probe(now)
        if not data:
            on_ready(self)
            return
        self._on_ready = on_ready
        try:
            self._channel.send(data, now + _BEAT_PATIENCE)
        except (TimeoutError, PartlySent, OSError):
            self._channel.shut()  # `run` says so

    def run(self) -> ClientError:
        """Receive until the connection has ended, and give why."""
        conversation = self._conversation
        try:
            while conversation.ended is None:
                data = self._channel.receive()
                if data is None:
                    self.end(conversation.end_of_stream)
                    break
                now = time.monotonic()
                if data:
                    self._take(data, now)
                if now >= conversation.beat_at:
                    self._beat(now)
        except OSError as error:
            self._break(error)
        finally:
            self.end(ConnectionClosed(f"{conversation.peer}: the client's thread has ended"))
            with self._sending:  # nobody may use the descriptor's number any more
                self._channel.close()
        assert conversation.ended is not None, "it has just been ended"
        return conversation.ended

    def _take(self, data: bytes, now: float) -> None:
        conversation = self._conversation
        with self._lock:
            pushes = conversation.receive(data, now)
            if conversation.leaving:
                self._finish_leaving()
        if self._on_ready is not None and not conversation.leaving:
            self._on_ready(self)
            self._on_ready = None
        for push in pushes:
            self._on_push(push)
        if conversation.failure is not None:
            self.end(conversation.failure)
        if conversation.leaving and not self._told:
            self._told = True
            self._on_leaving(self)

    def _finish_leaving(self) -> None:
        """Close once the daemon has said *go away*, and nothing is waited for any more. With `_lock`."""
        if self._conversation.leaving and not self._conversation.in_flight:
            self._channel.shut()

    def _beat(self, now: float) -> None:
        if not self._sending.acquire(blocking=False):
            return  # somebody sends: that is as good
        try:
            with self._lock:
                data = self._conversation.beat(now)
            if data:
                self._channel.send(data, now + _BEAT_PATIENCE)
        except ConnectionClosed as silent:
            self.end(silent)
        except TimeoutError:
            pass  # the daemon does not read: that it is silent, too, will be noticed
        except (PartlySent, OSError) as error:
            self._break(error)
        finally:
            self._sending.release()

    # -- both ----------------------------------------------------------------------------------------------

    def _acquire(self, deadline: float) -> None:
        if self._sending.acquire(blocking=False) or self._sending.acquire(
            timeout=max(0.0, deadline - time.monotonic())
        ):
            return
        raise TimeoutError(f"{self._conversation.peer}: other messages were not taken in time")

    def _break(self, error: PartlySent | OSError) -> ClientError:
        """End for an error of the socket; give why it has ended, which may be something earlier."""
        peer = self._conversation.peer
        if isinstance(error, PartlySent):
            text = "a message was taken in part only, and no more in time"
        elif isinstance(error, (ConnectionResetError, BrokenPipeError)):
            text = "the daemon reset the connection"
        else:
            text = error.strerror or str(error)
        self.end(ConnectionClosed(f"{peer}: {text}"))
        assert self._conversation.ended is not None, "it has just been ended"
        return self._conversation.ended
