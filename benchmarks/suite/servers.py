"""Which servers are measured."""

from __future__ import annotations

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True)
class Server:
    """One column of the comparison.

    Attributes:
        name: as in `--only`.
        title: for people.
        peer: the module below `benchmarks.servers`, `c-loop` for the C program, or "" for commscaffoldd.
        engine: of commscaffoldd.
        workers: of commscaffoldd.
        echo_id: the message ID whose handler echoes.
        compute_id: the message ID whose handler computes for 5 ms.
        everywhere: takes part in every scenario that names no servers.
    """

    name: str
    title: str
    peer: str = ""
    engine: str = ""
    workers: int = 1
    echo_id: int = 1
    compute_id: int = 2
    everywhere: bool = True


C_LOOP: Final = "c-loop"
YARDSTICK: Final = "uvloop"

SERVERS: Final = (
    Server(C_LOOP, "bare epoll loop in C", peer=C_LOOP),
    Server(YARDSTICK, "uvloop Protocol", peer="uvloop_protocol"),
    Server("asyncio", "asyncio Protocol", peer="asyncio_protocol"),
    Server("asyncio-streams", "asyncio streams", peer="asyncio_streams"),
    Server("gevent", "gevent StreamServer", peer="gevent_stream"),
    Server("twisted", "Twisted Protocol", peer="twisted_protocol"),
    Server("python-inline", "commscaffoldd, python engine, inline", engine="python", echo_id=1, compute_id=4),
    Server("python-pool", "commscaffoldd, python engine, pool", engine="python", echo_id=2, compute_id=3),
    Server("native-inline", "commscaffoldd, native engine, inline", engine="native", echo_id=1, compute_id=4),
    Server("native-pool", "commscaffoldd, native engine, pool", engine="native", echo_id=2, compute_id=3),
    Server(
        "native-mixed",
        "commscaffoldd, native engine, echo inline, computing in the pool",
        engine="native",
        echo_id=1,
        compute_id=3,
        everywhere=False,
    ),
    Server(
        "native-pool-2",
        "commscaffoldd, native engine, pool, 2 workers",
        engine="native",
        workers=2,
        echo_id=2,
        compute_id=3,
        everywhere=False,
    ),
    Server(
        "native-pool-4",
        "commscaffoldd, native engine, pool, 4 workers",
        engine="native",
        workers=4,
        echo_id=2,
        compute_id=3,
        everywhere=False,
    ),
)
