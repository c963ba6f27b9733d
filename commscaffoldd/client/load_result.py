"""What came out of a load."""

from __future__ import annotations

import dataclasses
from typing import Final

from commscaffoldd.client.histogram import Histogram
from commscaffoldd.client.load_errors import ErrorCount
from commscaffoldd.client.load_meter import Window
from commscaffoldd.client.load_plan import LoadPlan

_BUSY: Final = 0.9
_SHORT: Final = 0.1  # seconds; too little to tell


@dataclasses.dataclass(frozen=True, slots=True)
class LoadResult:
    """What was measured.

    Attributes:
        plan: what was asked for.
        window: what happened while it was measured; all zero if it did not come to that.
        latencies: of right replies, in nanoseconds: those of the window, and those still under way at its end.
        errors: all of them, the most frequent kind first, those while warming up included.
        opened: connections, those that replaced others included.
        pushes: frames that were nobody's reply.
        go_aways: connections that the daemon told to go away; they were replaced.
        dropped: requests that such connections had in flight when the daemon closed them.
    """

    plan: LoadPlan
    window: Window
    latencies: Histogram
    errors: list[ErrorCount]
    opened: int
    pushes: int
    go_aways: int
    dropped: int

    @property
    def rate(self) -> float:
        """Right replies a second."""
        return self.window.messages / self.window.seconds if self.window.seconds else 0.0

    @property
    def sent_rate(self) -> float:
        """Bytes of frames sent a second."""
        return self.window.bytes_out / self.window.seconds if self.window.seconds else 0.0

    @property
    def received_rate(self) -> float:
        """Bytes of frames received a second."""
        return self.window.bytes_in / self.window.seconds if self.window.seconds else 0.0

    @property
    def error_count(self) -> int:
        """Errors of all kinds."""
        return sum(error.count for error in self.errors)

    @property
    def cpu_share(self) -> float:
        """How much of one processor core the load itself used, 0 to 1."""
        return self.window.cpu_seconds / self.window.seconds if self.window.seconds else 0.0

    @property
    def limited_by_load(self) -> bool:
        """Whether the load generator was as busy as it can be: the server may be able to do more."""
        return self.window.seconds > _SHORT and self.cpu_share > _BUSY
