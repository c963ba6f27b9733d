"""The command group: `commscaffoldd COMMAND`."""

from __future__ import annotations

from typing import Any

import click

from commscaffoldd import __version__
from commscaffoldd.cli.bench import bench
from commscaffoldd.cli.call import call
from commscaffoldd.cli.capture import capture
from commscaffoldd.cli.check import check
from commscaffoldd.cli.connections import connections
from commscaffoldd.cli.console.command import console
from commscaffoldd.cli.dissector import dissector
from commscaffoldd.cli.docs import docs
from commscaffoldd.cli.failure import failures
from commscaffoldd.cli.generate import generate
from commscaffoldd.cli.new import new
from commscaffoldd.cli.release import release
from commscaffoldd.cli.reload import reload, reopen
from commscaffoldd.cli.replay import replay
from commscaffoldd.cli.restart import restart
from commscaffoldd.cli.routes import routes
from commscaffoldd.cli.scale import rebalance, scale
from commscaffoldd.cli.start import start
from commscaffoldd.cli.status import status
from commscaffoldd.cli.stop import stop
from commscaffoldd.cli.streams import complete_standard_streams
from commscaffoldd.cli.timers import timers
from commscaffoldd.cli.upgrade import take_over, upgrade

HELP = """Run and control commscaffoldd, a daemon that serves custom binary protocols over TCP.

\b
Examples:
  commscaffoldd new project here                 make a project with an example plugin
  commscaffoldd check                            is the configuration right?
  commscaffoldd start                            start the daemon
  commscaffoldd call 127.0.0.1:9000 1 hello      send one message, print the reply
  commscaffoldd bench 127.0.0.1:9000             how many messages does it answer, and how fast?
  commscaffoldd reload                           take over changed plugins and configuration
  commscaffoldd stop                             stop it

\b
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 status: it is down; 4 no permission;
7 it is not running; 78 the configuration or a plugin is wrong.

\b
Shell completion, in the shell's start-up file:
  bash   eval "$(_COMMSCAFFOLDD_COMPLETE=bash_source commscaffoldd)"
  zsh    eval "$(_COMMSCAFFOLDD_COMPLETE=zsh_source commscaffoldd)"
  fish   _COMMSCAFFOLDD_COMPLETE=fish_source commscaffoldd | source
"""


class CommandGroup(click.Group):
    """A group in whose commands nothing that a user can cause ends with a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run as a program."""
        complete_standard_streams()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401
        """Read the words before the command; --help and --version print here."""
        with failures():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # as click declares it
        """Run the command."""
        with failures():
            return super().invoke(ctx)


@click.group(
    cls=CommandGroup,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", "-V", prog_name="commscaffoldd", message="%(prog)s %(version)s")
def main() -> None:
    """The command; each subcommand is in its own module."""


RUNNING = (
    *(stop, restart, reload, upgrade, take_over, scale, rebalance, reopen),
    *(status, routes, release, connections, timers),
)
for command in (start, *RUNNING, check, call, console, bench, capture, replay, new, docs, generate, dissector):
    main.add_command(command)
