"""`commscaffoldd status`."""

from __future__ import annotations

import json

import click

from commscaffoldd.cli import daemon, exit_codes
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option, json_option
from commscaffoldd.cli.status_text import status_text
from commscaffoldd.master.control_client import NotRunning


@click.command(
    epilog=examples(
        "commscaffoldd status",
        "commscaffoldd status --json | jq '.totals.messages_in'",
    )
)
@config_option
@json_option
@click.pass_context
def status(context: click.Context, config_file: str | None, *, as_json: bool) -> None:
    """Show how the daemon is.

    That is: its workers, connections, messages, restarts, and the last reload. The exit code is 3 if it is down.
    """
    place = daemon.locate(config_file)
    try:
        found = daemon.ask(place, {"command": "status"})["status"]
    except NotRunning:
        down = {"state": "down", "config": str(place.config), "run_dir": str(place.run_dir)}
        click.echo(json.dumps(down, indent=2) if as_json else f"commscaffoldd is down ({place.run_dir})")
        context.exit(exit_codes.DOWN)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(status_text(found)))
