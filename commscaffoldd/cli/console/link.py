"""A connection to a server, frame by frame, on an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from commscaffoldd.client import Frame
from commscaffoldd.client.sequence import sequence_field
from commscaffoldd.core.address import Address
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import HEARTBEAT_ID, Layout

MAX_BODY: Final = 64 << 20
_CHUNK: Final = 65536


class Link:
    """Open from `connect` until `closed` is called, with the reason, or `close` has been.

    Heartbeats are sent and answered by itself, and only told if somebody has sent one. For the loop's thread.

    Attributes:
        layout: the header layout.
        open: whether messages can be sent.
    """

    def __init__(
        self, layout: Layout, keep_alive: float, received: Callable[[Frame], None], closed: Callable[[str], None]
    ) -> None:
        """Nothing is connected yet.

        Args:
            layout: the header layout.
            keep_alive: seconds between two heartbeats.
            received: is called for each frame.
            closed: is called when the server, or its frames, have ended the connection.
        """
        self.layout = layout
        self._seconds = keep_alive
        self.open = False
        self._received = received
        self._closed = closed
        self._sequence_field = sequence_field(layout)
        self._sequence = 0
        self._own_heartbeats = 0
        self._asked_heartbeats = 0
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self, address: Address) -> None:
        """Open a connection. Raises OSError."""
        await self.close()
        if address.path:
            reader, self._writer = await asyncio.open_unix_connection(address.path)
        else:
            reader, self._writer = await asyncio.open_connection(address.host, address.port)
        self.open = True
        self._own_heartbeats = self._asked_heartbeats = 0
        self._tasks = [asyncio.create_task(self._read(reader, self._writer)), asyncio.create_task(self._keep_alive())]

    async def close(self) -> None:
        """Close it, without a word to `closed`."""
        tasks, self._tasks = self._tasks, []
        self.open = False
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None

    def send(self, message_id: int, body: bytes) -> int:
        """Send a message; returns its sequence, 0 where there is none. Raises ValueError if it does not fit."""
        assert self._writer is not None
        sequence = 0
        if self._sequence_field is not None and message_id != HEARTBEAT_ID:
            sequence = self._sequence_field.after(self._sequence)
        self._writer.write(self.layout.encode(message_id, sequence, body))
        self._sequence = sequence or self._sequence
        self._asked_heartbeats += self._is_heartbeat(message_id, body)
        return sequence

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cutter = FrameReader(self.layout, MAX_BODY)
        reason = "the server closed the connection"
        try:
            while data := await reader.read(_CHUNK):
                frames, error = cutter.feed(data)
                for frame in frames:
                    self._take(Frame(*frame))
                if error is not None:
                    reason = f"what came is no frame of layout {self.layout.name}: {error.text}"
                    break
        except ConnectionResetError:
            reason = "the server reset the connection"
        except OSError as error:
            reason = str(error)
        self.open = False
        writer.close()
        self._closed(reason)

    def _take(self, frame: Frame) -> None:
        if not self._is_heartbeat(frame.id, frame.body):
            self._received(frame)
        elif self._own_heartbeats:
            self._own_heartbeats -= 1
        elif self._asked_heartbeats:
            self._asked_heartbeats -= 1
            self._received(frame)
        else:  # the server asks
            self._beat()

    def _is_heartbeat(self, message_id: int, body: bytes) -> bool:
        return self.layout.has_id and message_id == HEARTBEAT_ID and not body

    def _beat(self) -> None:
        if self._writer is not None and self.open:
            self._writer.write(self.layout.encode(HEARTBEAT_ID, 0, b""))

    async def _keep_alive(self) -> None:
        while self.layout.has_id:
            await asyncio.sleep(self._seconds)
            if self.open:
                self._own_heartbeats += 1
                self._beat()
