"""A client that works frame by frame, with one connection and one thread: for tools, tests and loads.

Programs that want replies, and not frames, take `Client` or `AsyncClient`.
"""

from __future__ import annotations

import collections
import time
from types import TracebackType
from typing import Final, NamedTuple, Self

from commscaffoldd.client.connecting import connect
from commscaffoldd.client.errors import ConnectionClosed, ErrorReply, FrameError
from commscaffoldd.client.sequence import sequence_field
from commscaffoldd.core.address import Address
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import HEARTBEAT_ID, PRESETS, Layout

MAX_BODY: Final = 64 * 1024 * 1024
_RECEIVE_BYTES: Final = 65536


class Frame(NamedTuple):
    """A frame received. `sequence` is 0 where the layout has none."""

    id: int
    sequence: int
    body: bytes


class FrameClient:
    """A connection to a daemon. Used by one thread at a time; a context manager, which closes it.

    Attributes:
        layout: the header layout in use.
        timeout: seconds that connecting, a send, a receive or a call may take, each as a whole.
    """

    def __init__(
        self,
        address: Address | str,
        layout: Layout = PRESETS["standard"],
        timeout: float = 5.0,
        *,
        max_body: int = MAX_BODY,
        default_id: int = 1,
    ) -> None:
        """Connect.

        Args:
            address: `host:port`, `[v6]:port` or `unix:/path`.
            layout: the header layout of the listener there.
            timeout: seconds.
            max_body: the largest body, in bytes, that is accepted.
            default_id: the message ID that frames are given where the layout has none.

        Raises:
            ValueError: not an address.
            OSError: it cannot be reached (TimeoutError, ConnectionRefusedError, ...).
        """
        self.layout = layout
        self.timeout = timeout
        self._reader = FrameReader(layout, max_body, default_id=default_id)
        self._frames: collections.deque[Frame] = collections.deque()
        self._failure: FrameError | None = None
        self._sequence = 0
        self._sequence_field = sequence_field(layout)
        self._socket = connect(Address.parse(address) if isinstance(address, str) else address, timeout)

    def __enter__(self) -> Self:
        """Itself, connected."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connection. Closing twice does nothing."""
        self._socket.close()

    def send(self, message_id: int, body: bytes = b"", sequence: int | None = None) -> int:
        """Send one message; returns its sequence (0 where the layout has none, and for heartbeats).

        Args:
            message_id: 0 is a heartbeat; not sent where the layout has no ID.
            body: the message.
            sequence: by default the next one, counted from 1.

        Raises:
            ValueError: it does not fit the layout.
            ConnectionClosed: the daemon closed the connection.
            TimeoutError: the daemon did not take it in time; part of it may be sent, so close.
        """
        if sequence is None:
            sequence = self._next_sequence(message_id)
        data = self.layout.encode(message_id, sequence, body)
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise TimeoutError(f"the message was not taken within {self.timeout:g} seconds") from None
        except (BrokenPipeError, ConnectionResetError):
            raise ConnectionClosed("the daemon closed the connection") from None
        return sequence

    def receive(self, timeout: float | None = None) -> Frame:
        """The next frame, of whatever kind; waits for it.

        Args:
            timeout: seconds; by default the client's.

        Raises:
            TimeoutError: none came in time.
            ConnectionClosed: the daemon closed the connection, and all that came before has been received.
            FrameError: what came cannot be a frame.
        """
        seconds = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while not self._frames:
            if self._failure is not None:
                raise self._failure
            self._receive_some(deadline, seconds)
        return self._frames.popleft()

    def call(self, message_id: int, body: bytes = b"") -> bytes:
        """Send a message and wait for its reply's body; other frames before it are left out.

        The reply is known by its sequence; where the layout has none, it is the next frame with the same
        message ID; where it has no ID either, the next frame.

        Raises:
            ErrorReply: the daemon answered with an error.
            TimeoutError: no reply within the client's timeout.
            ValueError, ConnectionClosed, FrameError: as `send` and `receive`.
        """
        deadline = time.monotonic() + self.timeout
        sequence = self.send(message_id, body)
        while True:
            try:
                frame = self.receive(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(f"no reply within {self.timeout:g} seconds") from None
            if self._answers(frame, message_id, sequence):
                return frame.body
            error = self._error_in(frame, message_id, sequence)
            if error is not None:
                raise error

    def _next_sequence(self, message_id: int) -> int:
        if self._sequence_field is None or (self.layout.has_id and message_id == HEARTBEAT_ID):
            return 0
        self._sequence = self._sequence_field.after(self._sequence)
        return self._sequence

    def _receive_some(self, deadline: float, seconds: float) -> None:
        # At least once with what is there already, even if the deadline has passed: 0 would not block, and
        # raises BlockingIOError instead of TimeoutError.
        self._socket.settimeout(max(0.000001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError:
            raise TimeoutError(f"nothing came within {seconds:g} seconds") from None
        except ConnectionResetError:
            raise ConnectionClosed("the daemon reset the connection") from None
        if not data:
            raise ConnectionClosed(
                "the daemon closed the connection" + (" in the middle of a frame" if self._reader.buffered else "")
            )
        frames, error = self._reader.feed(data)
        self._frames.extend(Frame(*frame) for frame in frames)
        if error is not None:
            self._failure = FrameError(f"not a frame of layout {self.layout.name}: {error.text}")

    def _answers(self, frame: Frame, message_id: int, sequence: int) -> bool:
        same_id = not self.layout.has_id or frame.id == message_id
        return same_id and (not self.layout.has_sequence or frame.sequence == sequence)

    def _error_in(self, frame: Frame, message_id: int, sequence: int) -> ErrorReply | None:
        if frame.id != self.layout.error_id:
            return None
        error = ErrorReply.from_body(frame.body)
        if self.layout.has_sequence:
            mine = frame.sequence == sequence
        else:
            mine = error is not None and error.id == message_id
        return error if mine else None
