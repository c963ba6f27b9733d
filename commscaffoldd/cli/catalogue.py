"""What `docs`, `generate` and `dissector` share: the configured catalogue, and where the result goes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.canary import run_canary
from commscaffoldd.cli.failure import Failure
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load

output_option = click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file instead of standard output.",
)


def read_catalogue(config_file: str | None) -> Catalogue:
    """The catalogue of what the configuration and its plugins would serve; loaded as `check` does, in a canary.

    Raises:
        Failure: configuration or plugins are wrong.
    """
    path = find_config(config_file)
    report = run_canary(path, load(path).daemon.start_timeout)
    if not report.ok:
        raise Failure(report.errors, exit_codes.CONFIGURATION)
    return Catalogue.from_builtins(report.catalogue)


def write_output(text: str, output: Path | None) -> None:
    """Print the text, or write it to a file, which then has the old content or the new and nothing between.

    Raises OSError.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not output.is_file():  # /dev/stdout, a pipe
        output.write_text(text, encoding="utf-8")
        return
    target = output.resolve()
    try:
        fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        error.filename = str(output)  # not the name that was to be a temporary one
        raise
    written = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        written.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        written.replace(target)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
