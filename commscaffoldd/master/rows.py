"""Who has which row of the shared statistics, and what those who have ended had counted."""

from __future__ import annotations

from typing import Final

from commscaffoldd.core.counters import COUNTERS, Statistics, StatisticsRow

MAX_WORKERS: Final = 1024  # the configuration's bound
# A reload has the old and the new workers at once, and old ones may still be finishing when the next reload comes.
ROWS: Final = 2 * MAX_WORKERS + 64


class NoRowError(Exception):
    """Every row is taken."""


class Rows:
    """Hands out rows. Memory is touched only for rows that are used, so many cost nothing."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._free = list(range(statistics.rows - 1, -1, -1))
        self._ended = dict.fromkeys(COUNTERS, 0)

    def take(self) -> tuple[int, StatisticsRow]:
        """A row's index, and the row, all zero.

        Raises NoRowError if there is none: then no worker can start until one of the old ones has ended.
        """
        if not self._free:
            raise NoRowError(
                f"all {self._statistics.rows} rows of the statistics are in use: "
                "too many old workers are still finishing; try again when they have ended"
            )
        index = self._free.pop()
        row = self._statistics.row(index)
        row.clear()
        return index, row

    def give_back(self, index: int) -> None:
        """Keep what the row's worker had counted, and let another one have the row."""
        read = self._statistics.row(index).read()
        for name in COUNTERS:
            self._ended[name] += read[name]
        self._free.append(index)

    def add(self, totals: dict[str, int]) -> None:
        """Go on from what another master's workers had counted."""
        for name in COUNTERS:
            self._ended[name] += int(totals.get(name, 0))

    def totals(self, living: list[dict[str, int]]) -> dict[str, int]:
        """Every counter since the daemon started: of the living rows, as given, and of those who have ended."""
        return {name: self._ended[name] + sum(row[name] for row in living) for name in COUNTERS}
