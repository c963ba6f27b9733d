"""A histogram of durations: log-linear, so its memory is bounded and its relative error the same everywhere."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

_BITS: Final = 7
_STEPS: Final = 1 << _BITS  # buckets for each doubling
_LARGEST_BITS: Final = 48
_LARGEST: Final = (1 << _LARGEST_BITS) - 1  # nanoseconds; more than three days
_BUCKETS: Final = (_LARGEST_BITS - _BITS + 1) << _BITS

RELATIVE_ERROR: Final = 1 / _STEPS
"""How much larger than the value itself a percentile may be."""


class Bucket(Struct, frozen=True):
    """Values from `low` to `high`, both included, and how many there were."""

    low: int
    high: int
    count: int


class Histogram:
    """Counts durations in nanoseconds. Used by one thread at a time.

    Below 256 ns each value has a bucket of its own; above, each doubling has 128 of equal width.

    Attributes:
        count: values recorded.
        max: the largest of them, exactly.
    """

    __slots__ = ("_counts", "_total", "count", "max")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0
        self.count = 0
        self.max = 0

    def record(self, value: int, times: int = 1) -> None:
        """Count a duration, in nanoseconds, so many times. Above 78 hours it is taken for 78 hours."""
        if value > self.max:
            value = min(value, _LARGEST)
            self.max = max(self.max, value)
        shift = value.bit_length() - _BITS - 1
        self._counts[value if shift <= 0 else (shift << _BITS) + (value >> shift)] += times
        self._total += value * times
        self.count += times

    @property
    def mean(self) -> float:
        """The mean, exactly; 0 if nothing was recorded."""
        return self._total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The smallest value that so many percent of all values do not exceed; 0 if nothing was recorded.

        It is at most `RELATIVE_ERROR` too large, never too small, and never above the maximum.
        """
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return min(_bounds(index)[1], self.max)
        return self.max

    def buckets(self) -> list[Bucket]:
        """The buckets that are not empty, in rising order."""
        return [Bucket(*_bounds(index), count) for index, count in enumerate(self._counts) if count]


def _bounds(index: int) -> tuple[int, int]:
    shift = max(0, (index >> _BITS) - 1)
    low = (index - (shift << _BITS)) << shift
    return low, low + (1 << shift) - 1
