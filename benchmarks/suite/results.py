"""What is measured, as it is written to `results.json`."""

from __future__ import annotations

import msgspec


class Flow(msgspec.Struct, frozen=True):
    """Messages of one kind of connection, as the load generator counts them.

    Attributes:
        connections: how many.
        in_flight: messages under way on each.
        id: the message ID.
        messages: replies that came while measuring.
        rate: the same for one second.
        p50_us: half of the replies came within so many microseconds; the others alike.
    """

    connections: int
    in_flight: int
    id: int
    messages: int
    rate: float
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float


class LoadResult(msgspec.Struct, frozen=True):
    """What the load generator prints.

    Attributes:
        seconds: how long was measured.
        body: bytes of a body.
        crc: how the load generator computes checksums.
        fast: the connections whose handler echoes.
        beside: those whose handler computes, if there are any.
        server_cpu_us: CPU time of the server's processes.
        load_cpu_us: CPU time of the load generator.
        errors: replies that were wrong or never came, connections that ended.
        first_error: the first of them.
    """

    seconds: float
    body: int
    crc: str
    fast: Flow
    beside: Flow | None
    server_cpu_us: int
    load_cpu_us: int
    errors: int
    first_error: str

    @property
    def cpu_us_per_message(self) -> float:
        """CPU time of the server for one message."""
        messages = self.fast.messages + (self.beside.messages if self.beside else 0)
        return self.server_cpu_us / messages if messages else 0.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one server.

    Attributes:
        round: from 1.
        scenario: its name.
        server: its name.
        load: what came out; None of an idle scenario, or if it failed.
        idle_bytes: memory for one idle connection; None of a load, or if it failed.
        others: processors that were busy with something else, or taken by the hypervisor: 0.5 is half of one.
        failure: why there is no result, or what was wrong with it; empty if all is well.
    """

    round: int
    scenario: str
    server: str
    load: LoadResult | None = None
    idle_bytes: float | None = None
    others: float = 0.0
    failure: str = ""


class Results(msgspec.Struct, frozen=True):
    """All of one call of the runner.

    Attributes:
        machine: what it ran on.
        options: what the runner was told.
        servers: names of those that were measured, in the order of the tables.
        left_out: servers that did not start, with the reason.
        runs: all measurements, in the order in which they were made.
    """

    machine: dict[str, str]
    options: dict[str, float]
    servers: list[str]
    left_out: dict[str, str]
    runs: list[Run]


def parse_load(text: bytes) -> LoadResult:
    """What the load generator has printed.

    Raises:
        ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(text, type=LoadResult)
    except msgspec.DecodeError as error:
        raise ValueError(f"the load generator printed something else than its result: {error}: {text!r}") from None
