"""The command group: `commscaffoldd COMMAND`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, Final

import click

from commscaffoldd import __version__
from commscaffoldd.cli.failure import failures
from commscaffoldd.cli.streams import complete_standard_streams

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


COMMANDS: Final[Mapping[str, str]] = {
    "start": "start:start",
    "stop": "stop:stop",
    "restart": "restart:restart",
    "reload": "reload:reload",
    "reopen": "reload:reopen",
    "upgrade": "upgrade:upgrade",
    "take-over": "upgrade:take_over",
    "scale": "scale:scale",
    "rebalance": "scale:rebalance",
    "status": "status:status",
    "connections": "connections:connections",
    "routes": "routes:routes",
    "timers": "timers:timers",
    "release": "release:release",
    "check": "check:check",
    "call": "call:call",
    "console": "console.command:console",
    "bench": "bench:bench",
    "capture": "capture:capture",
    "replay": "replay:replay",
    "new": "new:new",
    "docs": "docs:docs",
    "generate": "generate:generate",
    "dissector": "dissector:dissector",
}
"""Each command's module in this package, and its name there."""


class CommandGroup(click.Group):
    """A group that imports the command that is run, and no other: `call` needs no master.

    Nothing that a user can cause ends with a traceback in its commands.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # as click declares it
        """The commands' names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """A command; `None` if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"commscaffoldd.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; who has mistyped it is told the nearest one."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if near and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

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
