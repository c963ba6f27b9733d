"""Handover, seen by clients: what do they notice of reloads, recyclings, scalings, upgrades, and of deaths?

    python -m benchmarks.handover                                   # 50 reloads, 20 recyclings, 5 scalings
    python -m benchmarks.handover --reloads 0 --recyclings 0 --scales 0 --kills 200
    python -m benchmarks.handover --engine python --connections 1000

Starts a daemon of its own and a process with clients. Each client sends a numbered message, waits for the reply, and
checks it byte for byte. A pause is the time for which a client waits for one reply. Exit code 1 if anything was lost,
doubled, reordered or changed, or a client was disconnected that was on no process that was killed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from benchmarks.moving.daemon import BenchmarkError, Daemon
from benchmarks.moving.kills import KINDS, Kills
from benchmarks.moving.load import Load
from benchmarks.moving.operations import Operations


def main() -> int:
    """Run what was asked for, and print what came of it; the exit code."""
    options = parse_options()
    began = time.monotonic()
    try:
        with (
            Daemon(options.engine, options.workers) as daemon,
            Load(daemon.address, options.connections, options.think / 1000) as load,
        ):
            operations = Operations(daemon, load, options.workers)
            operations.baseline()
            operations.reload(options.reloads)
            operations.recycle(options.recyclings)
            operations.scale(options.scales)
            operations.upgrade(options.upgrades)
            kills = Kills(daemon, load, options.seed)
            kills.run(tuple(options.kill), options.kills)
            result = load.finish()
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{options.engine} engine, {options.workers} workers, {options.connections} connections, "
        f"{options.think:g} ms of thought between reply and message, "
        f"{os.cpu_count()} processors, {time.monotonic() - began:.0f} s\n"
    )
    print_pauses(result["pauses"], operations)
    return print_faults(result, kills)


def print_pauses(pauses: dict[str, dict[str, float]], operations: Operations) -> None:
    """A line for each kind of operation."""
    print(f"{'pause, ms':22}{'times':>7}{'replies':>10}{'p50':>8}{'p99':>8}{'p99.9':>8}{'longest':>9}{'median':>9}")
    for kind, row in pauses.items():
        if kind == "before":
            continue
        times = len(operations.longest.get(kind, ()))
        columns = "".join(f"{row[name] * 1000:8.1f}" for name in ("p50", "p99", "p99.9"))
        median = f"{operations.median(kind) * 1000:9.1f}" if times else f"{'':9}"
        count = f"{row['count']:10,.0f}"
        print(f"{kind:22}{times or '':>7}{count}{columns}{row['longest'] * 1000:9.1f}{median}")
    print("median: of the longest pause of each operation\n")


def print_faults(result: dict[str, Any], kills: Kills) -> int:
    """The counts; the exit code."""
    faults = result["faults"]
    for kind, times in kills.done.items():
        where = [f"{count} {text}" for (of, text), count in kills.ended.items() if of == kind]
        print(f"killed: {kind}, {times} times; connections that ended: {', '.join(where) or 'none'}")
    allowed = kills.ended.total()
    unfounded = result["disconnects"] - allowed
    print(f"disconnects: {result['disconnects']}, of them on a process that was not killed: {unfounded}")
    print(", ".join(f"{name}: {count}" for name, count in faults.items()))
    for line in kills.wronged[:20]:
        print(line)
    return 1 if unfounded or kills.wronged or any(faults.values()) else 0


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What do clients notice of a handover?")
    parser.add_argument("--engine", choices=("python", "native"), default="native")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--think", type=float, default=100.0, help="milliseconds from a reply to the next message")
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--recyclings", type=int, default=20, help="workers that are replaced for their age")
    parser.add_argument("--scales", type=int, default=5, help="times up and down")
    parser.add_argument("--upgrades", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--kill", nargs="+", choices=KINDS, default=KINDS[:2], help="who is killed, in turn")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
