"""What a load measures: messages, bytes, latencies and the load's own processor time."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from commscaffoldd.client.histogram import Histogram


class Window(NamedTuple):
    """What happened between two moments.

    Attributes:
        seconds: between them.
        cpu_seconds: processor time that this process used.
        messages: right replies that came.
        bytes_in, bytes_out: of frames, whole or in part.
    """

    seconds: float
    cpu_seconds: float
    messages: int
    bytes_in: int
    bytes_out: int


NOTHING: Final = Window(0.0, 0.0, 0, 0, 0)


class Meter:
    """Counts what connections do. All of them share one; used by one thread.

    Attributes:
        messages, bytes_in, bytes_out: since `restart`.
        latencies: of right replies since `restart`.
        pushes, go_aways: frames that answer nothing, from the beginning.
    """

    def __init__(self) -> None:
        self.pushes = 0
        self.go_aways = 0
        self.restart()

    def restart(self) -> None:
        """Forget what was measured, and measure from now on."""
        self.messages = self.bytes_in = self.bytes_out = 0
        self.latencies = Histogram()
        self._began = time.monotonic()
        self._cpu_began = time.process_time()

    def window(self) -> Window:
        """From `restart` until now."""
        return Window(
            time.monotonic() - self._began,
            time.process_time() - self._cpu_began,
            self.messages,
            self.bytes_in,
            self.bytes_out,
        )
