"""`commscaffoldd start`."""

from __future__ import annotations

import sys

import click

from commscaffoldd.cli.dev.serve import serve_development
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.foreground import serve_in_foreground
from commscaffoldd.cli.listening import listening_lines
from commscaffoldd.cli.options import config_option
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.config.schema import Config
from commscaffoldd.master.daemonise import launch_daemon


@click.command(
    epilog=examples(
        "commscaffoldd start",
        "commscaffoldd start --foreground --config etc/commscaffoldd.toml",
        "commscaffoldd start --dev",
    )
)
@config_option
@click.option("--foreground", "-f", is_flag=True, help="Stay in the foreground; Ctrl-C stops it.")
@click.option(
    "--dev",
    is_flag=True,
    help="Stay in the foreground, and reload whenever the configuration or a plugin's file changes. Shows plugins' "
    "failures with their tracebacks; one worker, unless the configuration says how many.",
)
def start(config_file: str | None, *, foreground: bool, dev: bool) -> None:
    """Start the daemon.

    Returns when every worker is ready, or with the reason why not.
    """
    path = find_config(config_file)
    if dev:
        sys.exit(serve_development(path))
    config = load(path)
    if foreground:
        sys.exit(serve_in_foreground(config))
    launch(config)


def launch(config: Config) -> None:
    """Start the daemon in the background and say what came of it. Raises Failure."""
    result = launch_daemon(config)
    if not result.ok:
        raise Failure(result.errors, result.exit_code)
    count = len(result.workers) or config.worker_count
    click.echo(f"commscaffoldd started: pid {result.pid}, {count} worker{'' if count == 1 else 's'}")
    for line in listening_lines(result.listening, result.layouts):
        click.echo(f"listening on {line}")
    if result.log:
        click.echo(f"logging to {result.log}")
