"""`commscaffoldd release`."""

from __future__ import annotations

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import warn
from commscaffoldd.cli.options import config_option
from commscaffoldd.plugin.api import MAX_ID


@click.command(
    epilog=examples(
        "commscaffoldd release 1001",
        "commscaffoldd status --json | jq '.quarantined[].id'",
    )
)
@config_option
@click.argument("message_id", metavar="ID", type=click.IntRange(1, MAX_ID))
def release(config_file: str | None, message_id: int) -> None:
    """Let a quarantined message ID's messages reach its handler again.

    An ID is quarantined when its handler keeps failing or hanging; `status` and `routes` show which are, and why. It
    is tried again by itself, too, after a while. The exit code is 1 if the ID is not quarantined.
    """
    answer = daemon.ask(daemon.locate(config_file), {"command": "release", "id": message_id})
    for error in answer.get("errors", ()):
        warn(error)
    workers = ", ".join(f"worker {number}" for number in answer["released"])
    click.echo(f"message ID {message_id} is released in {workers}")
