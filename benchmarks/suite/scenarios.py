"""What is measured."""

from __future__ import annotations

import dataclasses
from typing import Final

IDLE_CONNECTIONS: Final = 10_000

SPIN_US: Final = 1000
"""So long the load generator looks for replies before it sleeps. A server on the same machine pays for waking its
client, several microseconds on a virtual one, and pays only if the client happens to sleep: that would make two runs
of the same server differ by half."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One load.

    Attributes:
        name: as in `--scenario`.
        title: for people.
        connections: how many; each sends a new message when a reply has come.
        in_flight: messages that each connection has under way.
        body: bytes of a body.
        beside: further connections, whose handler computes for 5 ms.
        servers: names of those that take part; empty: all with one worker that are there for every scenario.
        spin_us: see `SPIN_US`.
        idle: the connections say nothing, and their memory is measured instead.
    """

    name: str
    title: str
    connections: int
    in_flight: int = 1
    body: int = 64
    beside: int = 0
    servers: tuple[str, ...] = ()
    spin_us: int = SPIN_US
    idle: bool = False


# Several workers need the processors that a load generator which never sleeps would take from them.
SCENARIOS: Final = (
    Scenario("50x1x64B", "50 connections, 1 in flight, 64 bytes", 50),
    Scenario("50x16x64B", "50 connections, 16 in flight, 64 bytes", 50, in_flight=16),
    Scenario("500x1x64B", "500 connections, 1 in flight, 64 bytes", 500),
    Scenario("50x1x4KiB", "50 connections, 1 in flight, 4 KiB", 50, body=4096),
    Scenario("20x4x32KiB", "20 connections, 4 in flight, 32 KiB", 20, in_flight=4, body=32768),
    Scenario(
        "beside",
        "50 connections, 1 in flight, 64 bytes, beside 2 connections whose handler computes for 5 ms",
        50,
        beside=2,
        spin_us=0,
        servers=(
            "c-loop",
            "uvloop",
            "asyncio",
            "asyncio-streams",
            "gevent",
            "twisted",
            "python-inline",
            "python-pool",
            "native-inline",
            "native-mixed",
            "native-pool",
        ),
    ),
    Scenario(
        "workers",
        "50 connections, 16 in flight, 64 bytes; 1, 2 and 4 workers",
        50,
        in_flight=16,
        servers=("native-pool", "native-pool-2", "native-pool-4"),
        spin_us=0,
    ),
    Scenario(
        "idle",
        f"memory for each of {IDLE_CONNECTIONS:,} connections that say nothing",
        IDLE_CONNECTIONS,
        servers=("uvloop", "asyncio", "asyncio-streams", "gevent", "twisted", "python-pool", "native-pool"),
        idle=True,
    ),
)
