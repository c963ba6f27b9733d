"""`commscaffoldd reload` and `commscaffoldd reopen`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from commscaffoldd.cli import daemon, exit_codes
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.moved import describe_moves
from commscaffoldd.cli.options import config_option, replay_option
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load

UNNOTICED: Final = "The running workers have not noticed."
_MARGIN: Final = 30.0


@click.command(
    epilog=examples(
        "commscaffoldd reload",
        "commscaffoldd check && commscaffoldd reload",
        "commscaffoldd reload --replay yesterday.cap",
    )
)
@config_option
@replay_option
def reload(config_file: str | None, *, replay: Path | None) -> None:
    """Take over changed plugins and configuration.

    A canary process loads everything first. If anything is wrong, the reason is shown with file and line, and
    the running workers have not noticed. If all is well, new workers start, and the old ones hand their clients'
    connections over to them and go. Returns when that is done. Clients notice nothing.

    With --replay the canary's handlers get the recorded messages, in order, and the reload is refused if one of them
    fails, takes too long, refuses a body that it took when it was recorded, or is not there any more.
    """
    path = find_config(config_file)
    try:
        config = load(path)
    except ConfigErrors as error:
        raise Failure([*map(str, error.errors), UNNOTICED], exit_codes.CONFIGURATION) from None
    place = daemon.Place(path, config.control_socket.parent, config.daemon.stop_timeout)
    # Between two lines of progress lie at most a canary's or a worker's start.
    try:
        command = {"command": "reload"} | ({} if replay is None else {"replay": str(replay)})
        answer = daemon.ask(place, command, config.daemon.start_timeout + _MARGIN)
    except daemon.Refused as refusal:
        raise Failure([*refusal.lines, UNNOTICED], refusal.exit_code) from None
    click.echo(describe(answer))


def describe(answer: dict[str, Any]) -> str:
    """A reload's result in a line."""
    new, old = answer.get("workers", []), answer.get("retiring", [])
    lines = [f"reloaded: {_count(new)} ready"]
    if old:
        lines[0] += f", {_count(old)} finishing what they have"
    return "\n".join([*lines, *describe_moves(answer)])


def _count(pids: list[int]) -> str:
    listed = ", ".join(map(str, pids))
    return f"{len(pids)} worker{'' if len(pids) == 1 else 's'} (pid {listed})" if pids else "no worker"


@click.command(
    epilog=examples(
        "mv commscaffoldd.log commscaffoldd.log.1 && commscaffoldd reopen",
    )
)
@config_option
def reopen(config_file: str | None) -> None:
    """Open the log file anew, after it was rotated.

    Returns when all processes write to the new one.
    """
    daemon.ask(daemon.locate(config_file), {"command": "reopen"})
    click.echo("log reopened")
