"""`commscaffoldd timers`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option, json_option
from commscaffoldd.cli.table import table
from commscaffoldd.cli.units import duration, number

_HEADS: Final = ("PLUGIN", "TIMER", ">EVERY", "WORKERS", ">RUNS", ">FAILURES", ">LAST RUN", ">TOOK", "RUNS IN")
_MINUTE: Final = 60


@click.command(
    epilog=examples(
        "commscaffoldd timers",
        "commscaffoldd timers --json | jq '.[] | select(.failures > 0)'",
    )
)
@config_option
@json_option
def timers(config_file: str | None, *, as_json: bool) -> None:
    """Show the plugins' timers, and how they have gone.

    RUNS and FAILURES are those of the workers that are there now, added up; LAST RUN is how long ago the latest
    call that has ended began. --json has a row for each worker.
    """
    answer = daemon.ask(daemon.locate(config_file), {"command": "timers"})
    found = sorted(answer["timers"], key=lambda row: (row["plugin"], row["function"], row["worker"]))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    same: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found:
        same.setdefault((row["plugin"], row["function"]), []).append(row)
    click.echo("\n".join(table(_HEADS, map(_row, same.values()))))


def _row(workers: Sequence[Mapping[str, Any]]) -> list[str]:
    """One timer, of all workers."""
    first = workers[0]
    latest = min((row for row in workers if row["last"] is not None), key=lambda row: row["last"], default=None)
    return [
        str(first["plugin"]),
        str(first["function"]),
        _seconds(first["every"]),
        str(first["workers"]),
        number(_sum(workers, "runs")),
        number(_sum(workers, "failures")),
        "never" if latest is None else f"{_seconds(latest['last'])} ago",
        "" if latest is None else _seconds(latest["took"]),
        ", ".join(f"worker {row['worker']}" for row in workers if row["running"]),
    ]


def _sum(rows: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(row[key]) for row in rows)


def _seconds(seconds: float) -> str:
    if seconds >= _MINUTE:
        return duration(seconds)
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
