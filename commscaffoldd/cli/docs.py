"""`commscaffoldd docs`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from commscaffoldd.catalogue.pages.html import to_html
from commscaffoldd.catalogue.pages.markdown import to_markdown
from commscaffoldd.catalogue.pages.page import protocol_page
from commscaffoldd.cli.catalogue import output_option, read_catalogue, write_output
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option


@click.command(
    epilog=examples(
        "commscaffoldd docs > protocol.md",
        "commscaffoldd docs --format html --title 'Game server' -o protocol.html",
        "commscaffoldd docs --format json | jq '.messages[].name'",
    )
)
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "json"]),
    default="markdown",
    show_default=True,
    help="HTML is one file without scripts; JSON is the catalogue itself, for programs.",
)
@click.option("--title", metavar="TEXT", help="The page's title.")
@output_option
def docs(config_file: str | None, *, form: str, title: str | None, output: Path | None) -> None:
    """Write a page of the protocol, for those who write clients.

    It has the header layouts with example frames, each message with its description and types, error codes,
    heartbeats, order and limits. All comes from the configuration and the plugins, which are loaded as `check`
    does; the daemon need not run.
    """
    catalogue = read_catalogue(config_file)
    if title is not None:
        catalogue = msgspec.structs.replace(catalogue, title=title)
    if form == "json":
        write_output(json.dumps(catalogue.to_builtins(), indent=2) + "\n", output)
        return
    page = protocol_page(catalogue)
    write_output(to_html(page) if form == "html" else to_markdown(page), output)
