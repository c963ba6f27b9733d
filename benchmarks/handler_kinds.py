"""What each kind of handler costs, through a whole worker: inline, pooled, `async def`, deferred.

    python -m benchmarks.handler_kinds                      # tables: 50 connections with 1 and 16 messages under way
    python -m benchmarks.handler_kinds --engine python --rounds 3 --seconds 2

A server of one worker for each round, and the kinds take turns in it, so that what else the machine does meets all of
them. The load is that of `make bench`: echoes of 64 bytes, in a closed loop, each reply checked. What counts are the
ratios, and the processor time of the server for a message.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import tomli_w

from benchmarks.suite.launch import ROOT, Running
from benchmarks.suite.native import build
from benchmarks.suite.results import LoadResult, parse_load
from benchmarks.suite.scenarios import SPIN_US

CONNECTIONS: Final = 50
BODY: Final = 64
WARM_UP: Final = 0.3  # seconds
KINDS: Final = {1: "inline", 2: "pooled", 3: "async", 4: "async, one sleep(0)", 5: "deferred, answered at once"}
"""By the message ID that `benchmarks/kinds` has for it."""
POOLED: Final = 2


class Sample(NamedTuple):
    """One load's result."""

    in_flight: int
    kind: str
    load: LoadResult


def serve(engine: str) -> Running:
    """A worker with all kinds."""
    folder = Path(tempfile.mkdtemp(prefix="cs"))
    path = folder / "commscaffoldd.toml"
    settings: dict[str, Any] = {
        "daemon": {"workers": 1, "run_dir": str(folder / "run")},
        "listen": [{"address": "127.0.0.1:0"}],
        "plugins": {"path": [str(ROOT / "benchmarks" / "kinds")]},
        "heartbeat": {"enabled": False},
        "flood": {"enabled": False},
    }
    path.write_text(tomli_w.dumps(settings))
    command = [sys.executable, "-m", "commscaffoldd", "start", "--foreground", "--config", str(path)]
    return Running(command, {"COMMSCAFFOLDD_ENGINE": engine}, folder)


def load(program: Path, running: Running, message_id: int, in_flight: int, seconds: float) -> Sample:
    """Measure one kind."""
    command = [str(program), "--connections", str(CONNECTIONS), "--in-flight", str(in_flight), "--body", str(BODY)]
    command += ["--id", str(message_id), "--seconds", str(seconds), "--warm-up", str(WARM_UP)]
    command += ["--spin", str(SPIN_US)]
    command += [word for pid in running.pids() for word in ("--watch", str(pid))]
    done = subprocess.run([*command, "127.0.0.1", str(running.port)], capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"handler_kinds: {KINDS[message_id]}: {(done.stderr or done.stdout).decode().strip()}")
    return Sample(in_flight, KINDS[message_id], parse_load(done.stdout))


def measure(program: Path, engine: str, rounds: int, seconds: float) -> Iterator[Sample]:
    """All kinds, again and again."""
    for _ in range(rounds):
        with serve(engine) as running:
            for in_flight in (1, 16):
                for message_id in KINDS:
                    yield load(program, running, message_id, in_flight, seconds)


def show(samples: list[Sample]) -> None:
    """Medians, and how much of the pooled handler's rate each has: the median of the rounds' own ratios."""
    for in_flight in (1, 16):
        print(f"\n{CONNECTIONS} connections, {in_flight} messages of each under way, {BODY} bytes")
        print(f"{'handler':28} {'messages/s':>10} {'of pooled':>10} {'p50 us':>8} {'p99 us':>8} {'CPU us':>7}")
        these = [one for one in samples if one.in_flight == in_flight]
        pooled = [one.load.fast.rate for one in these if one.kind == KINDS[POOLED]]
        for kind in KINDS.values():
            mine = [one.load for one in these if one.kind == kind]
            ratio = statistics.median(one.fast.rate / other for one, other in zip(mine, pooled, strict=True))
            rate = statistics.median(one.fast.rate for one in mine)
            p50 = statistics.median(one.fast.p50_us for one in mine)
            p99 = statistics.median(one.fast.p99_us for one in mine)
            cpu = statistics.median(one.cpu_us_per_message for one in mine)
            print(f"{kind:28} {rate:10,.0f} {ratio:10.2f} {p50:8,.0f} {p99:8,.0f} {cpu:7.1f}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.handler_kinds",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--engine", choices=["native", "python"], default="native", help="(native)")
    parser.add_argument("--rounds", type=int, default=5, help="of all kinds (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="that each measurement takes (1)")
    options = parser.parse_args()
    programs = ROOT / "build" / "bench"
    build(programs)
    print(f"{options.engine} engine, {options.rounds} rounds of {options.seconds:g} s, {os.cpu_count()} processors")
    show(list(measure(programs / "load", options.engine, options.rounds, options.seconds)))


if __name__ == "__main__":
    main()
