"""The tables: Markdown that reads well in a terminal, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.suite.results import Results
from benchmarks.suite.scenarios import SCENARIOS, Scenario
from benchmarks.suite.servers import C_LOOP, YARDSTICK
from benchmarks.suite.statistics import Row, summarize
from benchmarks.suite.targets import TARGETS, Target

DISTURBED: Final = 0.15
"""A measurement counts as disturbed if so much of a processor was busy with something else."""

NONE: Final = "-"

LOAD_COLUMNS: Final = (
    "server",
    "messages/s",
    "to uvloop",
    "to C",
    "p50 µs",
    "p99 µs",
    "CPU µs/message",
)


def report(results: Results) -> str:
    """Everything: what it ran on, each scenario, the targets."""
    parts = ["# Results", _machine(results)]
    measured = {run.scenario for run in results.runs}
    for scenario in SCENARIOS:
        if scenario.name in measured:
            parts += [f"## {scenario.name}", f"{scenario.title[0].upper()}{scenario.title[1:]}."]
            parts.append(_scenario_table(results, scenario))
    parts += ["## Targets", "Medians of the rounds' ratios; one worker.", targets_table(results)]
    parts += [text for text in (_failures(results), _left_out(results)) if text]
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with the columns under each other: the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    align: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(columns) - 1)]

    def line(cells: Sequence[str]) -> str:
        padded = (pad(cell, width) for pad, cell, width in zip(align, cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(columns), line(rule), *map(line, rows)])


def targets_table(results: Results) -> str:
    """Each target, what was measured, and whether it is reached."""
    return table(("target", "bound", "measured", ""), [_target_row(target, results) for target in TARGETS])


def number(value: float | None, digits: int = 0) -> str:
    """A number for people, or a dash."""
    return NONE if value is None else f"{value:,.{digits}f}"


def _target_row(target: Target, results: Results) -> tuple[str, str, str, str]:
    value = target.value(results)
    words = {True: "reached", False: "MISSED", None: "not measured"}
    sign = "≥" if target.at_least else "≤"
    measured = NONE if value is None else f"{value:.2f}{target.unit}"
    return target.text, f"{sign} {target.bound:g}{target.unit}", measured, words[target.reached(results)]


def _scenario_table(results: Results, scenario: Scenario) -> str:
    rows = summarize(results, scenario.name, YARDSTICK, C_LOOP)
    if scenario.idle:
        return table(("server", "bytes/connection"), [(row.server, number(row.idle_bytes)) for row in rows])
    return table(LOAD_COLUMNS, [_load_row(row) for row in rows])


def _load_row(row: Row) -> tuple[str, ...]:
    return (
        row.server,
        number(row.rate),
        number(row.to_yardstick, 2),
        number(row.to_c_loop, 2),
        number(row.p50_us),
        number(row.p99_us),
        number(row.cpu_us, 2),
    )


def _machine(results: Results) -> str:
    disturbed = sum(run.others > DISTURBED for run in results.runs)
    facts = [f"{name}: {value}" for name, value in results.machine.items()]
    facts += [f"{name}: {value:g}" for name, value in results.options.items()]
    facts.append(
        f"disturbed: {disturbed} of {len(results.runs)} measurements"
        f" (more than {DISTURBED:.0%} of a processor was busy with something else)"
    )
    return "\n".join(f"- {fact}" for fact in facts)


def _failures(results: Results) -> str:
    lines = [
        f"- {run.scenario}, {run.server}, round {run.round}: {run.failure}" for run in results.runs if run.failure
    ]
    return "\n".join(["## Failures", "", *lines]) if lines else ""


def _left_out(results: Results) -> str:
    lines = [f"- {server}: {reason}" for server, reason in results.left_out.items()]
    return "\n".join(["## Left out", "", *lines]) if lines else ""
