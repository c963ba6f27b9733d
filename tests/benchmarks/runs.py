"""Results as the benchmarks' runner makes them, with the numbers that a test is about."""

from __future__ import annotations

from benchmarks.suite.results import Flow, LoadResult, Results, Run


def load_result(
    rate: float = 1000.0, p99_us: float = 200.0, cpu_us: int = 10_000, errors: int = 0, beside: Flow | None = None
) -> LoadResult:
    """What a load generator says that has measured for one second."""
    fast = Flow(
        connections=50,
        in_flight=1,
        id=1,
        messages=round(rate),
        rate=rate,
        p50_us=100.0,
        p90_us=150.0,
        p99_us=p99_us,
        p999_us=p99_us,
        max_us=p99_us,
    )
    return LoadResult(
        seconds=1.0,
        body=64,
        crc="zlib",
        fast=fast,
        beside=beside,
        server_cpu_us=cpu_us,
        load_cpu_us=0,
        errors=errors,
        first_error="",
    )


def rounds(server: str, rates: list[float], scenario: str = "50x1x64B") -> list[Run]:
    """One measurement for each rate, in rounds from 1."""
    return [
        Run(round=number, scenario=scenario, server=server, load=load_result(rate))
        for number, rate in enumerate(rates, start=1)
    ]


def idle(server: str, bytes_each: float) -> Run:
    """The memory of a connection, in round 1."""
    return Run(round=1, scenario="idle", server=server, idle_bytes=bytes_each)


def results(*runs: Run, left_out: dict[str, str] | None = None) -> Results:
    """These measurements, of the servers in the order in which they come."""
    servers = list(dict.fromkeys(run.server for run in runs))
    return Results({"processor": "one of ours"}, {"rounds": 1}, servers, left_out or {}, list(runs))
