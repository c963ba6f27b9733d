"""`commscaffoldd new plugin` and `commscaffoldd new project`."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option
from commscaffoldd.cli.parameters import to_optional_message_id
from commscaffoldd.cli.table import pairs
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.scaffold.names import NameRefusedError
from commscaffoldd.scaffold.render import InTheWayError
from commscaffoldd.scaffold.scaffolds import Scaffold, new_plugin, new_project


@click.group(
    epilog=examples(
        "commscaffoldd new project game-server",
        "commscaffoldd new plugin lobby",
    )
)
def new() -> None:
    """Make a new plugin, or a project with one.

    Nothing is overwritten: if a file is in the way, it is named, and nothing is made.
    """


@new.command(
    "plugin",
    epilog=examples(
        "commscaffoldd new plugin lobby",
        "commscaffoldd new plugin lobby --in /srv/game/plugins --id 2000",
    ),
)
@click.argument("name")
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="The folder of plugins. By default the first of [plugins] path in the configuration, else ./plugins.",
)
@click.option(
    "--id",
    "first_id",
    callback=to_optional_message_id,
    metavar="ID",
    help="The message ID of its handler. By default one of which no plugin in the folder has a number.",
)
@config_option
def plugin(name: str, folder: Path | None, first_id: int | None, config_file: str | None) -> None:
    """Make a plugin: handler, messages, settings, tests, README.

    NAME is the plugin's, and its package's: lower-case letters, digits and _.
    """
    if first_id == 0:
        raise click.BadParameter("ID 0 is the heartbeat: take 1 or more", param_hint="--id")
    where = folder if folder is not None else _plugins_folder(config_file)
    with _refusals():
        made = new_plugin(name, where, first_id)
    python = "python3" if _is_default_python() else sys.executable
    _tell(
        made,
        [
            (_command(python, "-m", "pytest", str(made.folder)), "its tests"),
            ("commscaffoldd check", "would the daemon take it?"),
            ("commscaffoldd reload", "let the running daemon have it"),
        ],
    )


def _to_folder(context: click.Context, parameter: click.Parameter, word: str) -> Path:
    if not word:  # an empty variable in a script, most likely; as a path it would be this very folder
        raise click.BadParameter("it is empty; for this folder write .", context, parameter)
    return Path(word)


@new.command("project", epilog=examples("commscaffoldd new project game-server"))
@click.argument("folder", callback=_to_folder)
def project(folder: Path) -> None:
    """Make a project: configuration, an example plugin, a systemd unit, a Makefile.

    FOLDER is made if it is missing; its name is the project's.
    """
    with _refusals():
        made = new_project(folder)
    make = "make" if _is_default_python() else _command("make", f"PYTHON={sys.executable}")
    _tell(
        made,
        [
            *([(_command("cd", str(folder)), "")] if folder.resolve() != Path.cwd() else []),
            (f"{make} test", "the example's tests"),
            (f"{make} run", "start the daemon; a change of a file is taken over at once"),
            (f'commscaffoldd call 127.0.0.1:9000 {made.first_id} --json \'{{"name": "ann"}}\'', "in another shell"),
            ("commscaffoldd new plugin NAME", "a plugin of your own"),
        ],
    )


def _plugins_folder(config_file: str | None) -> Path:
    try:
        config = load(find_config(config_file))
    except ConfigErrors as error:
        if config_file is not None or error.errors[0].line is not None:  # it was named, or is there and wrong
            raise
        return Path("plugins")
    if not config.plugins.path:
        raise Failure([f"{config.path} has no folder in [plugins] path: say where, with --in"])
    folder = Path(config.plugins.path[0])
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NameRefusedError as error:
        raise click.UsageError(str(error)) from None
    except InTheWayError as error:
        raise Failure(["these are in the way, so nothing has been made:", *map(str, error.paths)]) from None


def _tell(made: Scaffold, then: list[tuple[str, str]]) -> None:
    click.echo(f"made in {made.folder}:")
    for path in made.files:
        click.echo(f"  {path.relative_to(made.folder)}")
    click.echo("next:")
    for line in pairs(then):
        click.echo(f"  {line}".rstrip())


def _command(*words: str) -> str:
    return shlex.join(words)


def _is_default_python() -> bool:
    """Whether a Makefile that looks for python3 finds the one that runs this."""
    for folder in os.get_exec_path():
        found = Path(folder, "python3")
        if found.is_file():
            return found.parent.samefile(Path(sys.executable).parent)
    return False
