"""The daemon in this terminal."""

from __future__ import annotations

from collections.abc import Callable

import click

from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.listening import command_to_try, listening_lines
from commscaffoldd.config.schema import Config
from commscaffoldd.master.daemonise import Ready, run_foreground


def serve_in_foreground(config: Config, on_ready: Callable[[], None] = lambda: None) -> int:
    """Run the daemon until it is stopped; returns the exit code. The process must have no threads.

    Once it is ready, where it listens and what to try is shown, then `on_ready` is called.
    """

    def ready(word: Ready) -> None:
        lines = [f"listening on {line}" for line in listening_lines(word.listening, word.layouts)]
        lines.append(f"try it: {command_to_try(config, word.listening)}")
        click.echo("\n".join(lines), err=True)
        on_ready()

    return run_foreground(config, ready, lambda errors: Failure(errors).show())
