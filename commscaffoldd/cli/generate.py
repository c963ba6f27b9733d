"""`commscaffoldd generate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click
import msgspec

from commscaffoldd.catalogue.clients.choice import Choice, NoListener, choose
from commscaffoldd.catalogue.clients.python_module import python_client
from commscaffoldd.catalogue.clients.typescript_module import typescript_client
from commscaffoldd.cli.catalogue import output_option, read_catalogue, write_output
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option

_LANGUAGES: Final[Mapping[str, Callable[[Choice], str]]] = {"python": python_client, "typescript": typescript_client}


@click.command(
    epilog=examples(
        "commscaffoldd generate python -o game_client.py",
        "commscaffoldd generate typescript --title 'Game server' -o src/game_client.ts",
    )
)
@click.argument("language", type=click.Choice(list(_LANGUAGES)))
@config_option
@click.option(
    "--listen",
    "address",
    metavar="ADDRESS",
    help="The client speaks the header layout of the listener configured with this address; by default of the first.",
)
@click.option("--title", metavar="TEXT", help="Names the client: 'Game server' makes GameServerClient.")
@output_option
def generate(
    language: str, *, config_file: str | None, address: str | None, title: str | None, output: Path | None
) -> None:
    """Write client code with a method and types for each message.

    LANGUAGE is `python`, for a module on top of commscaffoldd.client with a class for threads and one for asyncio, or
    `typescript`, for one file for Node.js 18 and newer that needs no package.

    All comes from the configuration and the plugins, which are loaded as `check` does; the daemon need not run. The
    same plugins give the same text, so a change of it is a change of the protocol.
    """
    catalogue = read_catalogue(config_file)
    if title is not None:
        catalogue = msgspec.structs.replace(catalogue, title=title)
    try:
        choice = choose(catalogue, address)
    except NoListener as error:
        raise Failure([str(error)]) from None
    write_output(_LANGUAGES[language](choice), output)
