"""`commscaffoldd check`."""

from __future__ import annotations

from pathlib import Path

import click

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.canary import run_canary
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option, replay_option
from commscaffoldd.cli.table import pairs
from commscaffoldd.cli.units import counted
from commscaffoldd.config.dump import dump
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.config.schema import Config
from commscaffoldd.worker.canary import CanaryReport


@click.command(
    epilog=examples(
        "commscaffoldd check",
        "commscaffoldd check --dump > effective.toml",
    )
)
@config_option
@replay_option
@click.option("--dump", "dump_it", is_flag=True, help="Print the effective configuration as TOML.")
def check(config_file: str | None, *, replay: Path | None, dump_it: bool) -> None:
    """Check the configuration and the plugins.

    Loads all in a process of its own and runs the plugins' self-tests; a running daemon does not notice.
    Shows every error that it finds, with file and line; the exit code is 78 then.
    """
    path = find_config(config_file)
    config = load(path)
    report = run_canary(path, config.daemon.start_timeout, replay)
    if not report.ok:
        raise Failure(report.errors, exit_codes.CONFIGURATION)
    # With --dump the standard output is the configuration, and nothing else.
    click.echo("\n".join(summary(config, report)), err=dump_it)
    if dump_it:
        click.echo(dump(config), nl=False)


def summary(config: Config, report: CanaryReport) -> list[str]:
    """What is all right, in a few lines."""
    listens = [f"{listen.address} (layout {listen.layout}, {listen.accept})" for listen in config.listen]
    plugins = sorted({route["plugin"] for route in report.routes})
    return [
        f"{config.path}: OK",
        *pairs(
            [
                *(("" if index else "listeners", text) for index, text in enumerate(listens)),
                ("workers", str(config.worker_count)),
                ("handlers by", ", ".join(plugins) or "no plugin"),
                ("message IDs", str(len(report.routes))),
                *([("replayed", counted(report.replayed, "message"))] if report.replayed else []),
                *([("not replayed", _skipped(report))] if report.skipped else []),
            ]
        ),
    ]


def _skipped(report: CanaryReport) -> str:
    return f"{counted(report.skipped, 'message')}: the logins that they need are not in the capture"
