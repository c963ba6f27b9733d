"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from commscaffoldd.core.layout import PRESETS

Command = TypeVar("Command", bound=Callable[..., Any])

config_option: Final = click.option(
    "--config",
    "-c",
    "config_file",
    metavar="FILE",
    type=click.Path(),
    help="The configuration. By default $COMMSCAFFOLDD_CONFIG, ./etc/commscaffoldd.toml or "
    "/etc/commscaffoldd/commscaffoldd.toml, the first that is there.",
)
layout_option: Final = click.option(
    "--layout",
    "layout_name",
    metavar="NAME",
    shell_complete=lambda _context, _parameter, begun: [name for name in PRESETS if name.startswith(begun)],
    help=f"The header layout: {', '.join(PRESETS)}, or a custom one of the configuration. By default that "
    "of the configured listener with this address, else standard.",
)
_DAY: Final = 86400.0


def timeout_option(help_text: str) -> Callable[[Command], Command]:
    """`--timeout SECONDS`, five by default, with this help."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0.001, _DAY),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help=help_text,
    )


replay_option: Final = click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Play the messages that clients sent in this capture through the new handlers first. What the handlers do, "
    "they do: see docs/capture.md before using it with plugins that write.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
stop_options: Final = (
    click.option("--now", is_flag=True, help="Do not wait for messages under way; close connections at once."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, max=86400),
        metavar="SECONDS",
        help="Stop gracefully for at most so long, then at once. By default [daemon] stop_timeout.",
    ),
)
