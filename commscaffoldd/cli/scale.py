"""`commscaffoldd scale` and `commscaffoldd rebalance`."""

from __future__ import annotations

from typing import Final

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.moved import describe_moves
from commscaffoldd.cli.options import config_option
from commscaffoldd.cli.units import counted
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load

MOST: Final = 1024
_MARGIN: Final = 15.0  # seconds over what a worker's start, or a handover, may take between two lines of progress


@click.command(
    epilog=examples(
        "commscaffoldd scale 4",
        "commscaffoldd scale 1",
    )
)
@config_option
@click.argument("workers", type=click.IntRange(1, MOST))
def scale(config_file: str | None, workers: int) -> None:
    """Have WORKERS worker processes, from now until the next reload or start.

    Clients stay connected: new workers get their share of the connections, and those that go hand theirs over.
    Returns when that is done. To have as many after a reload too, set [daemon] workers.
    """
    settings = load(find_config(config_file)).daemon
    longest = settings.start_timeout + settings.handover_timeout + _MARGIN
    daemon.ask(daemon.locate(config_file), {"command": "scale", "count": workers}, longest)
    click.echo(f"{counted(workers, 'worker')} ready")


@click.command(epilog=examples("commscaffoldd rebalance"))
@config_option
def rebalance(config_file: str | None) -> None:
    """Even out the workers' numbers of connections.

    Workers with many hand some over to those with few; clients notice nothing.
    """
    settings = load(find_config(config_file)).daemon
    answer = daemon.ask(daemon.locate(config_file), {"command": "rebalance"}, settings.handover_timeout + _MARGIN)
    click.echo("\n".join(describe_moves(answer)))
