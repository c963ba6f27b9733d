"""What a call costs a client: calls a second of `Client` and `AsyncClient` against a running daemon's echo plugin.

    commscaffoldd start                    # with the example plugins, and [flood] enabled = false
    python -m benchmarks.client_cost 127.0.0.1:9000
    python -m benchmarks.client_cost 127.0.0.1:9000 --id 1 --seconds 2 --rounds 5

Message ID 2 is the echo plugin's inline handler: the least that a daemon can do, so that the client is what is
measured. Each figure is the median of the rounds, in which all cases take turns: no machine is always as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import statistics
import threading
import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.client import AsyncClient, Client, FrameClient

BODY: Final = bytes(64)


def frame_client(address: str, message_id: int, seconds: float) -> float:
    """Calls a second, frame by frame: no other thread, no other call, the least there is."""
    with FrameClient(address) as client:
        calls, begun = 0, time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            client.call(message_id, BODY)
            calls += 1
    return calls / (now - begun)


def threads(address: str, message_id: int, seconds: float, count: int) -> float:
    """Calls a second of so many threads that share a `Client`."""
    done: list[int] = []

    def talk(client: Client, end: float) -> None:
        calls = 0
        while time.perf_counter() < end:
            client.call(message_id, BODY)
            calls += 1
        done.append(calls)

    with Client(address) as client:
        begun = time.perf_counter()
        talkers = [threading.Thread(target=talk, args=[client, begun + seconds]) for _ in range(count)]
        for talker in talkers:
            talker.start()
        for talker in talkers:
            talker.join()
        return sum(done) / (time.perf_counter() - begun)


def tasks(address: str, message_id: int, seconds: float, count: int) -> float:
    """Calls a second of so many tasks that share an `AsyncClient`."""

    async def talk(client: AsyncClient, end: float) -> int:
        calls = 0
        while time.perf_counter() < end:
            await client.call(message_id, BODY)
            calls += 1
        return calls

    async def run() -> float:
        async with AsyncClient(address) as client:
            begun = time.perf_counter()
            done = await asyncio.gather(*(talk(client, begun + seconds) for _ in range(count)))
            return sum(done) / (time.perf_counter() - begun)

    return asyncio.run(run())


CASES: Final[dict[str, Callable[[str, int, float], float]]] = {
    "FrameClient, 1 thread": frame_client,
    "Client, 1 thread": functools.partial(threads, count=1),
    "Client, 8 threads": functools.partial(threads, count=8),
    "AsyncClient, 1 task": functools.partial(tasks, count=1),
    "AsyncClient, 50 tasks": functools.partial(tasks, count=50),
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.client_cost",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("address", help="of a listener with layout standard")
    parser.add_argument("--id", type=int, default=2, dest="message_id", help="a message ID that echoes (2)")
    parser.add_argument("--seconds", type=float, default=1.0, help="that each round of each case takes (1)")
    parser.add_argument("--rounds", type=int, default=5, help="of all cases (5)")
    options = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(options.rounds):
        for name, case in CASES.items():
            rates[name].append(case(options.address, options.message_id, options.seconds))
    print(f"{'':24}calls a second    lowest   highest")
    for name, found in rates.items():
        print(f"{name:24}{statistics.median(found):14,.0f}{min(found):10,.0f}{max(found):10,.0f}")


if __name__ == "__main__":
    main()
