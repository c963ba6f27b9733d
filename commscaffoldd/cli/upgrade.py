"""`commscaffoldd upgrade`, and what it makes the daemon execute."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.canary import run_canary
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.moved import describe_moves
from commscaffoldd.cli.options import config_option
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.master.daemonise import run_takeover

_MARGIN: Final = 25.0  # seconds over what a start, or a handover, may take between two lines of progress
_UNNOTICED: Final = "The daemon goes on as it was, and no client has noticed."


@click.command(
    epilog=examples(
        "pip install --upgrade commscaffoldd && commscaffoldd upgrade",
    )
)
@config_option
def upgrade(config_file: str | None) -> None:
    """Replace the running daemon by the installed program, master and all.

    The master executes the program anew. The new one reads the configuration, loads the plugins, in a canary
    first, and starts its workers on the same listeners; when all are ready it takes charge, and the old workers
    hand their clients' connections over. If anything is wrong, the reason is shown, and the old daemon goes on.
    Clients notice nothing.
    """
    settings = load(find_config(config_file)).daemon
    longest = 2 * settings.start_timeout + settings.handover_timeout + _MARGIN
    try:
        answer = daemon.ask(daemon.locate(config_file), {"command": "upgrade"}, longest)
    except daemon.Refused as refusal:
        raise Failure([*refusal.lines, _UNNOTICED], refusal.exit_code) from None
    old = f"version {answer['old_version']}, pid {answer['old_pid']}"
    new = f"version {answer['version']}, pid {answer['pid']}"
    click.echo("\n".join([f"upgraded: {old}, is now {new}", *describe_moves(answer)]))


@click.command("take-over", hidden=True)
def take_over() -> None:
    """Take over from the master that executes this; not for people."""
    try:
        sys.exit(run_takeover(os.environ, run_canary))
    except KeyError:
        text = "take-over is what a running daemon executes; you want `commscaffoldd upgrade`"
        raise click.UsageError(text) from None
