"""commscaffoldd beside other servers: each scenario with each server, several rounds, medians and ratios.

    make bench                                          # everything, about 20 minutes
    python -m benchmarks.run --quick                    # one short round, to see that all works
    python -m benchmarks.run --only native-pool uvloop --scenario 50x1x64B

Writes results.json (every measurement), results.md (the tables) and results.png into --output. docs/performance.md
says what is compared and how to read it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.suite.launch import StartError, start
from benchmarks.suite.measure import Meter
from benchmarks.suite.native import BuildError, build
from benchmarks.suite.plot import draw
from benchmarks.suite.progress import Progress
from benchmarks.suite.report import report
from benchmarks.suite.results import Results, Run
from benchmarks.suite.scenarios import SCENARIOS, Scenario
from benchmarks.suite.servers import SERVERS, Server

QUICK: Final = {"rounds": 1, "seconds": 0.3, "warm_up": 0.1}


def main() -> int:
    """Run what was asked for; exit code 1 if any measurement failed, 2 if nothing could be measured."""
    options = parse_options()
    programs = options.output / "native"
    try:
        build(programs)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    servers, left_out = available([server for server in SERVERS if server.name in options.only], programs)
    pairs = [
        (scenario, takers)
        for scenario in SCENARIOS
        if scenario.name in options.scenario and (takers := taking_part(scenario, servers))
    ]
    if not pairs:
        print("nothing to measure: none of these servers takes part in these scenarios", file=sys.stderr)
        return 2
    meter = Meter(programs, options.seconds, options.warm_up)
    runs = measure_all(meter, pairs, options.rounds)
    numbers = {"rounds": options.rounds, "seconds": options.seconds, "warm-up": options.warm_up}
    results = Results(machine(), numbers, [server.name for server in servers], left_out, runs)
    write(results, options.output)
    return 1 if any(run.failure for run in runs) else 0


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [server.name for server in SERVERS]
    scenarios = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before each")
    parser.add_argument("--only", nargs="+", metavar="SERVER", choices=names, default=names, help=", ".join(names))
    parser.add_argument(
        "--scenario", nargs="+", metavar="NAME", choices=scenarios, default=scenarios, help=", ".join(scenarios)
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="folder (build/bench)")
    parser.add_argument("--quick", action="store_true", help="one short round; its numbers mean little")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def available(servers: list[Server], programs: Path) -> tuple[list[Server], dict[str, str]]:
    """Those that start, and of the others the reason why not."""
    found, left_out = [], {}
    for server in servers:
        try:
            start(server, programs).stop()
            found.append(server)
        except StartError as error:
            left_out[server.name] = str(error)
            print(f"left out: {server.name} ({server.title}): {error}", flush=True)
    return found, left_out


def taking_part(scenario: Scenario, servers: list[Server]) -> list[Server]:
    """The servers that a scenario is for."""
    return [
        server for server in servers if (server.name in scenario.servers if scenario.servers else server.everywhere)
    ]


def measure_all(meter: Meter, pairs: list[tuple[Scenario, list[Server]]], rounds: int) -> list[Run]:
    """Make all measurements.

    In each round every scenario is run by all its servers one after the other, beginning with another one each time,
    so that whatever slows the machine down meets all alike.
    """
    progress = Progress(rounds * sum(len(servers) for _, servers in pairs))
    runs = []
    for round_number, (turn, (scenario, servers)) in itertools.product(range(1, rounds + 1), enumerate(pairs)):
        first = (round_number + turn) % len(servers)
        for server in servers[first:] + servers[:first]:
            run = meter.run(scenario, server, round_number)
            progress.show(run)
            runs.append(run)
    return runs


def machine() -> dict[str, str]:
    """What it runs on."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), ""
    )
    return {
        "processor": model or platform.machine(),
        "processors": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write(results: Results, folder: Path) -> None:
    """Print the tables, and write everything into the folder."""
    text = report(results)
    print(f"\n{text}")
    files = {"results.json": msgspec.json.format(msgspec.json.encode(results), indent=1), "results.md": text.encode()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        draw(results, folder / "results.png")
    except ImportError as error:
        print(f"no results.png: {error}; pip install '.[bench]' has it", file=sys.stderr)
    print(f"written: {', '.join(str(path) for path in sorted(folder.glob('results.*')))}")


if __name__ == "__main__":
    sys.exit(main())
