"""What commscaffoldd is to reach, in ratios within one run, and whether it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from benchmarks.suite.results import Results
from benchmarks.suite.servers import C_LOOP, YARDSTICK
from benchmarks.suite.statistics import Metric, by_round, memory, middle, p99, rate, ratio

PEERS: Final = ("uvloop", "asyncio", "asyncio-streams", "gevent", "twisted")

Value = Callable[[Results], float | None]


@dataclasses.dataclass(frozen=True)
class Target:
    """One of them.

    Attributes:
        text: what is compared.
        value: computes it; None: not measured.
        bound: at least, or at most, so much.
        at_least: which of the two.
        unit: behind the number.
    """

    text: str
    value: Value
    bound: float
    at_least: bool
    unit: str = "x"

    def reached(self, results: Results) -> bool | None:
        """Whether it is reached; None: not measured."""
        value = self.value(results)
        if value is None:
            return None
        return value >= self.bound if self.at_least else value <= self.bound


def _ratio(scenario: str, server: str, other: str, metric: Metric = rate) -> Value:
    def value(results: Results) -> float | None:
        own = by_round(results.runs, scenario, server, metric)
        return ratio(own, by_round(results.runs, scenario, other, metric))

    return value


def _kib(results: Results) -> float | None:
    found = middle(by_round(results.runs, "idle", "native-pool", memory))
    return None if found is None else found / 1024


def _to_smallest_peer(results: Results) -> float | None:
    own = middle(by_round(results.runs, "idle", "native-pool", memory))
    peers = [middle(by_round(results.runs, "idle", peer, memory)) for peer in PEERS]
    known = [peer for peer in peers if peer]
    return own / min(known) if own is not None and known else None


def _at_least(bound: float, scenario: str, server: str, other: str = YARDSTICK) -> Target:
    return Target(f"{scenario}: {server} to {other}", _ratio(scenario, server, other), bound, at_least=True)


TARGETS: Final = (
    _at_least(1.15, "50x1x64B", "native-inline"),
    _at_least(0.85, "50x1x64B", "native-inline", C_LOOP),
    _at_least(1.4, "50x16x64B", "native-inline"),
    _at_least(0.6, "50x16x64B", "native-inline", C_LOOP),
    _at_least(1.0, "50x1x64B", "native-pool"),
    _at_least(1.3, "50x16x64B", "native-pool"),
    _at_least(5.0, "beside", "native-pool"),
    Target(
        "beside: p99 of native-pool to uvloop",
        _ratio("beside", "native-pool", YARDSTICK, p99),
        0.5,
        at_least=False,
    ),
    _at_least(1.0, "500x1x64B", "native-inline"),
    _at_least(1.0, "500x1x64B", "native-pool"),
    Target("idle: memory for a connection, native-pool", _kib, 1.0, at_least=False, unit=" KiB"),
    Target("idle: the same to the smallest Python peer", _to_smallest_peer, 1.0, at_least=False),
    _at_least(0.5, "50x1x64B", "python-pool"),
)
