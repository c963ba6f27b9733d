"""`commscaffoldd generate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from commscaffoldd.catalogue.clients.choice import Choice, NoListener, choose
from commscaffoldd.catalogue.clients.python_module import python_client
from commscaffoldd.cli.catalogue import output_option, read_catalogue, write_output
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option

_listen_option = click.option(
    "--listen",
    "address",
    metavar="ADDRESS",
    help="The client speaks the header layout of the listener configured with this address; by default of the first.",
)
_title_option = click.option(
    "--title", metavar="TEXT", help="Names the client: 'Game server' makes GameServerClient."
)


@click.group()
def generate() -> None:
    """Write client code with a method and types for each message.

    All comes from the configuration and the plugins, which are loaded as `check` does; the daemon need not run.
    The same plugins give the same text, so that a change of it is a change of the protocol.
    """


@generate.command(epilog=examples("commscaffoldd generate python -o game_client.py"))
@config_option
@_listen_option
@_title_option
@output_option
def python(config_file: str | None, *, address: str | None, title: str | None, output: Path | None) -> None:
    """A Python module on top of commscaffoldd.client, for threads and for asyncio."""
    _generate(python_client, config_file, address, title, output)


def _generate(
    make: Callable[[Choice], str],
    config_file: str | None,
    address: str | None,
    title: str | None,
    output: Path | None,
) -> None:
    catalogue = read_catalogue(config_file)
    if title is not None:
        catalogue = msgspec.structs.replace(catalogue, title=title)
    try:
        choice = choose(catalogue, address)
    except NoListener as error:
        raise Failure([str(error)]) from None
    write_output(make(choice), output)
