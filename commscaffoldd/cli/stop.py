"""`commscaffoldd stop`."""

from __future__ import annotations

import click

from commscaffoldd.cli import daemon
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option, stop_options


@click.command(
    epilog=examples(
        "commscaffoldd stop",
        "commscaffoldd stop --timeout 5",
        "commscaffoldd stop --now",
    )
)
@config_option
@stop_options[0]
@stop_options[1]
def stop(config_file: str | None, *, now: bool, timeout: float | None) -> None:
    """Stop the daemon.

    Returns when it is down: it stops accepting, finishes the messages under way, sends what is to be sent, and ends.
    Works with a configuration that has become invalid too.
    """
    pid = daemon.stop(daemon.locate(config_file), now=now, timeout=timeout)
    click.echo(f"commscaffoldd, pid {pid}, has stopped")
