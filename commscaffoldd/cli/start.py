"""`commscaffoldd start`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.listening import command_to_try, listening_lines
from commscaffoldd.cli.options import config_option
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.config.schema import Config
from commscaffoldd.master.daemonise import Ready, launch_daemon, run_foreground


@click.command(
    epilog=examples(
        "commscaffoldd start",
        "commscaffoldd start --foreground --config etc/commscaffoldd.toml",
    )
)
@config_option
@click.option("--foreground", "-f", is_flag=True, help="Stay in the foreground; Ctrl-C stops it.")
def start(config_file: str | None, *, foreground: bool) -> None:
    """Start the daemon.

    Returns when every worker is ready, or with the reason why not.
    """
    config = load(find_config(config_file))
    if foreground:
        sys.exit(run_foreground(config, _banner(config), _show_reasons))
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


def _banner(config: Config) -> Callable[[Ready], None]:
    def show(ready: Ready) -> None:
        lines = [f"listening on {line}" for line in listening_lines(ready.listening, ready.layouts)]
        lines.append(f"try it: {command_to_try(config, ready.listening)}")
        click.echo("\n".join(lines), err=True)

    return show


def _show_reasons(errors: tuple[str, ...]) -> None:
    Failure(errors).show()
