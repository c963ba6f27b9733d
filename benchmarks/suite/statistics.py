"""Medians, and ratios within a round: what disturbs a whole round disturbs both sides of its ratios."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from benchmarks.suite.results import Results, Run

Metric = Callable[[Run], float | None]
"""A number of one measurement; None if it has none."""


def rate(run: Run) -> float | None:
    """Messages a second, of the connections whose handler echoes."""
    return run.load.fast.rate if run.load else None


def p50(run: Run) -> float | None:
    """Half of the replies came within so many microseconds."""
    return run.load.fast.p50_us if run.load else None


def p99(run: Run) -> float | None:
    """99 of 100 replies came within so many microseconds."""
    return run.load.fast.p99_us if run.load else None


def cpu(run: Run) -> float | None:
    """CPU time of the server for one message, in microseconds."""
    return run.load.cpu_us_per_message if run.load else None


def memory(run: Run) -> float | None:
    """Bytes for one idle connection."""
    return run.idle_bytes


def by_round(runs: Iterable[Run], scenario: str, server: str, metric: Metric) -> dict[int, float]:
    """A number by round. Measurements with errors do not count: a server that is wrong is not quick."""
    return {
        run.round: value
        for run in runs
        if run.scenario == scenario and run.server == server and not run.failure
        if (value := metric(run)) is not None
    }


def middle(values: Mapping[int, float]) -> float | None:
    """The median over the rounds; None without any."""
    return median(values.values()) if values else None


def ratio(own: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    """The median of the rounds' ratios, of the rounds that have both; None without any."""
    return middle({key: value / other[key] for key, value in own.items() if other.get(key)})


@dataclasses.dataclass(frozen=True)
class Row:
    """One server in one scenario; medians. None: not measured.

    Attributes:
        server: its name.
        rate: messages a second, with `lowest` and `highest` of the rounds.
        to_yardstick: ratio of the rates, to uvloop's.
        to_c_loop: the same, to the C loop's.
        p50_us: latency.
        p99_us: latency.
        cpu_us: CPU time for one message.
        idle_bytes: memory for one idle connection.
    """

    server: str
    rate: float | None
    lowest: float | None
    highest: float | None
    to_yardstick: float | None
    to_c_loop: float | None
    p50_us: float | None
    p99_us: float | None
    cpu_us: float | None
    idle_bytes: float | None


def summarize(results: Results, scenario: str, yardstick: str, c_loop: str) -> list[Row]:
    """The servers of one scenario that have been measured, in the order of `results.servers`."""
    measured = {run.server for run in results.runs if run.scenario == scenario}

    def of(server: str, metric: Metric) -> dict[int, float]:
        return by_round(results.runs, scenario, server, metric)

    rows = []
    for name in filter(measured.__contains__, results.servers):
        rates = of(name, rate)
        rows.append(
            Row(
                name,
                middle(rates),
                min(rates.values(), default=None),
                max(rates.values(), default=None),
                ratio(rates, of(yardstick, rate)),
                ratio(rates, of(c_loop, rate)),
                middle(of(name, p50)),
                middle(of(name, p99)),
                middle(of(name, cpu)),
                middle(of(name, memory)),
            )
        )
    return rows
