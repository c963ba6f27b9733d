"""What a client and a daemon say to each other on one connection. No socket, no clock, no thread in sight.

Whoever has a socket drives it: `call` and `send` give bytes to send, `receive` takes what has come. Both clients do,
so that they cannot differ in what they make of a reply, an error reply, a push, a heartbeat or *go away*.

The daemon reads messages in the order in which they were sent, and says *go away* after the replies to all that it
has read. So what is unanswered then, and was sent after everything that is answered, has not been handled: it fails
with `NotHandled`, and can be sent again on another connection.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from commscaffoldd.client.errors import ClientError, ConnectionClosed, ErrorReply, FrameError, NotHandled
from commscaffoldd.client.waiter import Waiter, waiting_for
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import HEARTBEAT_ID, Layout

logger: Final = logging.getLogger("commscaffoldd.client")
NEVER: Final = float("inf")


class Push(NamedTuple):
    """A message from the daemon that answers none."""

    id: int
    body: bytes


class Conversation:
    """One connection's conversation. Not for several threads at once: its driver has a lock, or one thread.

    Attributes:
        peer: the daemon's address, for texts.
        leaving: the daemon said *go away*: nothing new can be asked here; replies may still come.
        failure: why nothing more can be read here; `None`: it can.
        ended: why the connection has ended; `None`: it has not.
        unclaimed: replies that nobody waited for (any more), error replies among them.
    """

    def __init__(
        self, layout: Layout, peer: str, now: float, *, max_body: int, default_id: int, heartbeat: float | None
    ) -> None:
        """A conversation on a new connection.

        Args:
            layout: the header layout.
            peer: the daemon's address, for texts.
            now: seconds of a steady clock; all later times are of the same.
            max_body: the largest body, in bytes, that is accepted.
            default_id: the message ID of pushes where the layout has none.
            heartbeat: seconds without a frame in one direction after which a heartbeat is sent, and after which its
                answer is overdue; `None`: none are sent. None are where the layout has no ID, or no empty body.
        """
        self.peer = peer
        self.leaving = False
        self.failure: FrameError | None = None
        self.ended: ClientError | None = None
        self.unclaimed = 0
        self._layout = layout
        self._reader = FrameReader(layout, max_body, default_id=default_id)
        self._waiting = waiting_for(layout, default_id)
        self._sent = 0  # requests so far
        self._read = 0  # so many of them the daemon has read, for sure
        self._heartbeat = heartbeat if layout.has_id and not layout.min_body else None
        self._last_sent = self._last_received = now
        self._beaten = 0.0  # when the heartbeat was sent that is not answered yet; 0: none

    @property
    def in_flight(self) -> int:
        """Requests that wait for replies."""
        return len(self._waiting)

    # -- what is sent --------------------------------------------------------------------------------------

    def call(self, waiter: Waiter, message_id: int, body: bytes, now: float) -> bytes:
        """A request, to be sent after all that was given before; `waiter` gets what comes of it.

        Raises:
            ValueError: it does not fit the layout, or is a heartbeat.
            NotHandled: the connection has ended, or the daemon said *go away*.
            ClientError: as many requests wait for replies as the layout can tell apart.
        """
        self._expect_open()
        sequence = self._waiting.next_sequence()
        if sequence < 0:
            raise ClientError(f"{self.peer}: all sequences of layout {self._layout.name} wait for replies")
        data = self._encode(message_id, sequence, body)
        self._sent += 1
        waiter.message_id = message_id
        waiter.sequence = sequence
        waiter.order = self._sent
        self._waiting.add(waiter)
        self._last_sent = now
        return data

    def send(self, message_id: int, body: bytes, now: float) -> bytes:
        """A message that nobody waits for a reply to. Raises as `call`."""
        self._expect_open()
        data = self._encode(message_id, max(0, self._waiting.next_sequence()), body)
        self._last_sent = now
        return data

    def beat(self, now: float) -> bytes:
        """The heartbeat that is due now, or nothing. Raises ConnectionClosed if the last one was not answered."""
        if self._heartbeat is None or self.ended is not None:
            return b""
        if self._beaten:
            if now < self._beaten + self._heartbeat:
                return b""
            raise ConnectionClosed(f"{self.peer}: no sign of life for {now - self._last_received:.3g} seconds")
        if now < min(self._last_sent, self._last_received) + self._heartbeat:
            return b""
        self._beaten = self._last_sent = now
        return self._layout.encode(HEARTBEAT_ID, 0, b"")

    def probe(self, now: float) -> bytes:
        """A heartbeat at once, to learn whether anybody is there; nothing where none are sent."""
        if self._heartbeat is None:
            return b""
        self._beaten = self._last_sent = now
        return self._layout.encode(HEARTBEAT_ID, 0, b"")

    @property
    def beat_at(self) -> float:
        """When to ask `beat` again."""
        if self._heartbeat is None or self.ended is not None:
            return NEVER
        return (self._beaten or min(self._last_sent, self._last_received)) + self._heartbeat

    # -- what comes ----------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Push]:
        """Take the next bytes; replies go to those who wait for them, pushes are given back.

        Look at `failure` afterwards: what came may not be a frame. The frames before it have been taken.
        """
        self._last_received = now
        self._beaten = 0.0
        frames, failure = self._reader.feed(data)
        waiting = self._waiting
        pushes: list[Push] = []
        for message_id, sequence, body in frames:
            waiter = waiting.answered(message_id, sequence)
            if waiter is None:
                self._take_other(message_id, sequence, body, pushes)
                continue
            self._read = max(self._read, waiter.order)
            if waiter.reply(body):
                waiting.remove(waiter)
        if failure is not None:
            self.failure = FrameError(f"{self.peer}: not a frame of layout {self._layout.name}: {failure.text}")
        return pushes

    def abandon(self, waiter: Waiter) -> bool:
        """Nobody wants its reply any more. Give whether the connection must be closed for that.

        It must where a layout has no sequence: the reply, if it comes late, would be taken for the next one's.
        """
        return self._waiting.abandon(waiter)

    def end(self, error: ClientError) -> None:
        """The connection has ended; whoever waits is told. What comes after the first time does nothing."""
        if self.ended is not None:
            return
        self.ended = error
        for waiter in self._waiting.clear():
            if self.leaving and waiter.order > self._read:
                waiter.fail(NotHandled(f"{self.peer}: the daemon said go away, and has not handled this message"))
            else:  # one of its own: an exception that several threads raise mixes their tracebacks
                waiter.fail(type(error)(*error.args))

    @property
    def end_of_stream(self) -> ConnectionClosed:
        """The error for a peer that ends its stream here."""
        middle = " in the middle of a frame" if self._reader.buffered else ""
        return ConnectionClosed(f"{self.peer}: the daemon closed the connection{middle}")

    def _take_other(self, message_id: int, sequence: int, body: bytes, pushes: list[Push]) -> None:
        """Take a frame that is no plain reply."""
        layout = self._layout
        if message_id == layout.error_id:
            self._take_error(sequence, body)
        elif message_id == layout.go_away_id and not body:
            self.leaving = True
        elif layout.has_id and message_id == HEARTBEAT_ID and not body:
            pass  # that it came is all it says
        elif sequence:
            self.unclaimed += 1
            self._waiting.late(sequence)
        else:
            pushes.append(Push(message_id, body))

    def _take_error(self, sequence: int, body: bytes) -> None:
        error = ErrorReply.from_body(body)
        waiter = self._waiting.refused(None if error is None else error.id, sequence)
        if waiter is None:
            self.unclaimed += 1
            self._waiting.late(sequence)
            logger.info("%s: an error reply that nobody waits for: %s", self.peer, error)
            return
        self._read = max(self._read, waiter.order)
        self._waiting.remove(waiter)
        size = len(body)
        waiter.fail(error or FrameError(f"{self.peer}: an error reply of {size} bytes, which cannot be one"))

    def _expect_open(self) -> None:
        if self.ended is not None or self.leaving:
            raise NotHandled(f"{self.peer}: {'the daemon said go away' if self.ended is None else self.ended}")

    def _encode(self, message_id: int, sequence: int, body: bytes) -> bytes:
        if self._layout.has_id and message_id == HEARTBEAT_ID and not body:
            raise ValueError("message ID 0 without a body is the heartbeat, which a client sends by itself")
        return self._layout.encode(message_id, sequence, body)
