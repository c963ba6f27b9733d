"""What typed messages cost: a bound handler, called as the path calls it, beside one that takes and gives bytes.

    python -m benchmarks.typed_cost             # a table
    python -m benchmarks.typed_cost --json      # the same for scripts

In one process, without sockets, so nothing else is in the numbers: the path itself costs the same for both. It is the
thread's processor time that counts; the cases take turns, and each figure is the best of many short runs, because
what else the machine does only ever adds.
"""

from __future__ import annotations

import argparse
import json
import time
import timeit
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import msgspec

from commscaffoldd import Connection, Request
from commscaffoldd.codecs import Format
from commscaffoldd.plugin.binding import bind
from commscaffoldd.plugin.injection import Provided
from commscaffoldd.plugin.signature import read_signature

CALLS: Final = 2_000
RUNS: Final = 300


class Order(msgspec.Struct):
    """Five fields, of the kinds that messages have."""

    number: int
    customer: str
    price: float
    paid: bool
    tags: list[str]


ORDER: Final = Order(4711, "ann", 12.5, paid=True, tags=["new", "gift"])


class Shop:
    """Something that a worker provides."""


def raw(request: Request) -> bytes:
    """What is compared with: the least that a handler can do."""
    return request.body


def as_bytes(_: Request, body: bytes) -> bytes:  # noqa: D103  these are what they are annotated
    return body


def as_str(_: Request, body: str) -> str:  # noqa: D103
    return body


def body_alone(_: Request, body: Order) -> bytes:  # noqa: D103
    return body.customer.encode()


def body_alone_by_hand(request: Request) -> bytes:
    """The same, without annotations: the body is decoded by the handler itself."""
    return BY_HAND.decode(request.body).customer.encode()


def both(_: Request, body: Order) -> Order:  # noqa: D103
    return body


def injected(_: Request, body: Order, connection: Connection, shop: Shop) -> Order:  # noqa: ARG001, D103
    return body


BY_HAND: Final = msgspec.msgpack.Decoder(Order)


class Case(NamedTuple):
    """One row of the table."""

    name: str
    function: Callable[..., Any]
    body: bytes
    format: Format | None = None


CASES: Final = [
    Case("bytes, as before", raw, b"hello"),
    Case("body: bytes", as_bytes, b"hello"),
    Case("body: str -> str", as_str, b"hello"),
    Case("five fields decoded by the handler itself", body_alone_by_hand, msgspec.msgpack.encode(ORDER)),
    Case("five fields in", body_alone, msgspec.msgpack.encode(ORDER)),
    Case("five fields in, as JSON", body_alone, msgspec.json.encode(ORDER), "json"),
    Case("five fields in and out", both, msgspec.msgpack.encode(ORDER)),
    Case("five fields in and out, as JSON", both, msgspec.json.encode(ORDER), "json"),
    Case("five fields in and out, and two injected", injected, msgspec.msgpack.encode(ORDER)),
]


def calls(case: Case) -> timeit.Timer:
    """Calls the bound handler."""
    function = bind(case.function, read_signature(case.function, case.format), {Shop: Provided.of(Shop())})
    made: Any = SimpleNamespace()
    request = Request(made, 1, 1, case.body, made)
    return timeit.Timer(
        "function(request)", timer=time.thread_time, globals={"function": function, "request": request}
    )


def measure() -> dict[str, float]:
    """Nanoseconds for one call, by the case's name."""
    timers = {case.name: calls(case) for case in CASES}
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(RUNS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(CALLS))
    return {name: seconds / CALLS * 1e9 for name, seconds in best.items()}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.typed_cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="nanoseconds by case, for scripts")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps({name: round(one, 1) for name, one in found.items()}))
        return
    least = found[CASES[0].name]
    print(f"{'handler':42}  ns a message  more than bytes")
    for name, one in found.items():
        print(f"{name:42}  {one:12,.0f}  {one - least:+15,.0f}")


if __name__ == "__main__":
    main()
