"""`commscaffoldd connections`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option, json_option
from commscaffoldd.cli.table import table
from commscaffoldd.cli.units import duration, number, size

_HEADS: Final = (
    ">WORKER",
    "CONNECTION",
    "PEER",
    "USER",
    "LISTENER",
    "LAYOUT",
    ">AGE",
    ">IDLE",
    ">MESSAGES IN",
    ">OUT",
    ">WAITING",
    ">UNSENT",
)


@click.command(
    epilog=examples(
        "commscaffoldd connections",
        "commscaffoldd connections --json | jq '.connections[] | select(.idle > 60) | .peer'",
    )
)
@config_option
@json_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Show at most N in the table; --json prints all that the daemon tells, at most 10,000.",
)
def connections(config_file: str | None, *, as_json: bool, limit: int) -> None:
    """Show the connections that are open now.

    WAITING is messages that wait for their handler, UNSENT bytes that the peer has not taken yet.
    """
    answer = daemon.ask(daemon.locate(config_file), {"command": "connections"})
    found, truncated = list(answer["connections"]), bool(answer.get("truncated"))
    if as_json:
        click.echo(json.dumps({"connections": found, "truncated": truncated}, indent=2))
        return
    click.echo("\n".join(table(_HEADS, map(_row, found[:limit]))))
    left = len(found) - limit
    if left > 0 or truncated:
        more = "more" if left <= 0 else f"{number(left)} more{' at least' if truncated else ''}"
        click.echo(f"and {more} (see --limit and --json)", err=True)


def _row(connection: Mapping[str, Any]) -> list[str]:
    get = connection.get
    return [
        str(get("worker", "")),
        str(get("id", "")),
        str(get("peer", "")),
        str(get("user") or ""),
        str(get("listen", "")),
        str(get("layout", "")),
        _age(get("since")),
        _age(get("idle")),
        number(get("messages_in", 0)),
        number(get("messages_out", 0)),
        number(get("waiting", 0)),
        size(get("unsent", 0)),
    ]


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)
