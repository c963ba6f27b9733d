"""`commscaffoldd routes`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from commscaffoldd.cli import daemon, exit_codes
from commscaffoldd.cli.canary import run_canary
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option, json_option
from commscaffoldd.cli.table import table
from commscaffoldd.cli.units import duration
from commscaffoldd.config.load import load
from commscaffoldd.master.control_client import NotRunning


@click.command(
    epilog=examples(
        "commscaffoldd routes",
        "commscaffoldd routes --json | jq '.[].id'",
    )
)
@config_option
@json_option
def routes(config_file: str | None, *, as_json: bool) -> None:
    """Show which function handles each message ID.

    Asks the running daemon. If it is not running, loads the plugins as `check` does.

    The mode is `pool` (a thread of the business pool, in order per connection), `concurrent` (such a thread,
    in any order) or `inline` (the reactor itself). A handler that runs longer than the timeout is given up. A
    message ID whose handler keeps failing is quarantined for a while, see `release`.

    With --json each route also has what its handler's signature and docstring say: `doc`, and for `body` and
    `reply` the format, the type and its JSON schema. See `docs` for a page for people.
    """
    found = sorted(_routes(daemon.locate(config_file)), key=lambda route: int(route["id"]))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(
        "\n".join(table([">MESSAGE ID", "PLUGIN", "FUNCTION", "MODE", ">TIMEOUT", "QUARANTINED"], map(_row, found)))
    )


def _row(route: Mapping[str, Any]) -> list[str]:
    workers = [f"worker {row['worker']}" for row in route.get("quarantined", ())]
    return [
        *(str(route[key]) for key in ("id", "plugin", "function", "mode")),
        _timeout(route.get("timeout")),
        f"in {', '.join(workers)}" if workers else "",
    ]


def _timeout(seconds: float | None) -> str:
    if not seconds:
        return "" if seconds is None else "none"
    return duration(seconds) if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004  # fractions matter below


def _routes(place: daemon.Place) -> list[dict[str, Any]]:
    try:
        return list(daemon.ask(place, {"command": "routes"})["routes"])
    except NotRunning:
        click.echo("commscaffoldd is not running: these are the routes that it would have", err=True)
    report = run_canary(place.config, load(place.config).daemon.start_timeout)
    if not report.ok:
        raise Failure(report.errors, exit_codes.CONFIGURATION)
    return list(report.routes)
