"""One connection of a load: what it has sent, what it waits for, and whether what comes is that."""

from __future__ import annotations

import collections
import select
import socket
import time
from typing import Final

from commscaffoldd.client.errors import ErrorReply
from commscaffoldd.client.frame_client import MAX_BODY
from commscaffoldd.client.load_errors import ConnectionLost, ErrorTally, Kind
from commscaffoldd.client.load_meter import Meter
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_requests import Requests
from commscaffoldd.core.framing import FrameReader

_LEAST_RECEIVED: Final = 4096
_MOST_RECEIVED: Final = 262144


class LoadConnection:
    """Sends requests and checks replies, in one thread and without ever blocking.

    Attributes:
        leaving: the daemon said *go away*; it takes no more requests.
    """

    __slots__ = (
        "_broken",
        "_epoll",
        "_errors",
        "_meter",
        "_plan",
        "_reader",
        "_receive_bytes",
        "_requests",
        "_sequence",
        "_socket",
        "_unsent",
        "_waiting",
        "leaving",
    )

    def __init__(
        self,
        connected: socket.socket,
        epoll: select.epoll,
        plan: LoadPlan,
        requests: Requests,
        meter: Meter,
        errors: ErrorTally,
    ) -> None:
        """Takes a connected socket, to which `epoll` tells it when to read and to write. Closes it at last."""
        self.leaving = False
        self._socket = connected
        self._epoll = epoll
        self._plan = plan
        self._requests = requests
        self._meter = meter
        self._errors = errors
        self._reader = FrameReader(plan.layout, MAX_BODY, default_id=plan.reply_id)
        self._sequence = 0
        self._waiting: collections.deque[tuple[int, int]] = collections.deque()  # sequence, sent at (ns)
        self._unsent = b""
        self._broken: ConnectionLost | None = None  # why nothing can be sent any more
        # Python takes a buffer of this size for each call, so it should fit what comes.
        expected = 2 * plan.in_flight * requests.frame_size
        self._receive_bytes = min(max(expected, _LEAST_RECEIVED), _MOST_RECEIVED)
        connected.setblocking(False)
        epoll.register(connected, select.EPOLLIN)

    def fileno(self) -> int:
        """The descriptor that epoll reports."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close; epoll forgets it."""
        self._socket.close()

    @property
    def unanswered(self) -> int:
        """Requests that wait for their replies."""
        return len(self._waiting)

    def waits_since(self) -> int | None:
        """When the oldest unanswered request was sent (`time.monotonic_ns`); `None` if there is none."""
        return self._waiting[0][1] if self._waiting else None

    def send(self, count: int) -> None:
        """Send so many requests; what the socket does not take waits for `flush`.

        If it cannot, `receive` says so, once it has given what came before.
        """
        requests = self._requests
        sequences = requests.sequences_after(self._sequence, count)
        now = time.monotonic_ns()
        self._waiting.extend([(sequence, now) for sequence in sequences])
        self._sequence = self._waiting[-1][0]
        data = requests.encode(sequences, count)
        if self._unsent:
            self._unsent += data
            return
        self._unsent = self._send_some(data)
        if self._unsent:
            self._epoll.modify(self._socket, select.EPOLLIN | select.EPOLLOUT)

    def flush(self) -> None:
        """Send more of what waits: the socket takes it again."""
        self._unsent = self._send_some(self._unsent)
        if not self._unsent:
            self._epoll.modify(self._socket, select.EPOLLIN)

    def receive(self) -> int:
        """Take what has come; returns how many requests it answered, rightly or not. Raises ConnectionLost."""
        data = self._read()
        if data is None:
            return 0
        now = time.monotonic_ns()
        meter = self._meter
        meter.bytes_in += len(data)
        frames, failure = self._reader.feed(data)
        reply_id, waiting = self._plan.reply_id, self._waiting
        right = odd = 0
        same, sent_at = 0, 0  # replies to requests that were sent together have one latency: recorded at once
        for message_id, sequence, body in frames:
            if message_id != reply_id or not waiting or waiting[0][0] != sequence:
                odd += self._take_odd(message_id, sequence, body, now)
                continue
            sent = waiting.popleft()[1]
            if sent == sent_at:
                same += 1
                continue
            if same:
                meter.latencies.record(now - sent_at, same)
            right += same
            same, sent_at = 1, sent
        if same:
            meter.latencies.record(now - sent_at, same)
        right += same
        meter.messages += right
        if failure is not None:
            text = f"not a frame of layout {self._plan.layout.name}: {failure.text}"
            raise ConnectionLost(Kind.BAD_FRAME, text)
        return right + odd

    def _read(self) -> bytes | None:
        """What has come; `None` if that is nothing yet. Raises ConnectionLost at the end of it."""
        try:
            data = self._socket.recv(self._receive_bytes)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._broken or _lost(error) from None
        if data:
            return data
        middle = " in the middle of a frame" if self._reader.buffered else ""
        raise self._broken or ConnectionLost(Kind.CLOSED, f"the server closed the connection{middle}")

    def _send_some(self, data: bytes) -> bytes:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            return data
        except OSError as error:
            self._broken = _lost(error)
            return b""
        self._meter.bytes_out += sent
        return data[sent:]

    def _take_odd(self, message_id: int, sequence: int, body: bytes, now: int) -> int:
        """Take a frame that is not the reply expected next; returns how many requests it answers, 0 or 1."""
        layout = self._plan.layout
        if message_id == layout.go_away_id:
            self.leaving = True
            self._meter.go_aways += 1
            return 0
        if message_id == layout.error_id:
            return self._take_error(sequence, body)
        if sequence == 0:  # a push; or no sequence in the layout, and then another ID is another matter
            self._meter.pushes += 1
            return 0
        sent_at = self._remove(sequence)
        if sent_at is None:
            self._errors.add(Kind.WRONG_REPLY, f"a frame with sequence {sequence}, which no request waits for")
            return 0
        if message_id != self._plan.reply_id:
            text = f"message ID {message_id} where {self._plan.reply_id} was expected"
            self._errors.add(Kind.WRONG_REPLY, text)
        elif self._plan.any_order:
            self._meter.messages += 1
            self._meter.latencies.record(now - sent_at)
        else:
            text = f"the reply to sequence {sequence} overtook that to {self._waiting[0][0]}"
            self._errors.add(Kind.OUT_OF_ORDER, text)
        return 1

    def _take_error(self, sequence: int, body: bytes) -> int:
        reply = ErrorReply.from_body(body)
        if reply is None:
            self._errors.add(Kind.WRONG_REPLY, f"an error reply of {len(body)} bytes, which cannot be one")
        else:
            self._errors.add(Kind.ERROR_REPLY, reply.text, code=reply.code)
        return 0 if self._remove(sequence) is None else 1

    def _remove(self, sequence: int) -> int | None:
        """Wait for this one no longer; returns when it was sent, `None` if it was not waited for."""
        for entry in self._waiting:
            if entry[0] == sequence:
                self._waiting.remove(entry)
                return entry[1]
        return None


def _lost(error: OSError) -> ConnectionLost:
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return ConnectionLost(Kind.RESET, "the server reset the connection")
    return ConnectionLost(Kind.RESET, error.strerror or str(error))
