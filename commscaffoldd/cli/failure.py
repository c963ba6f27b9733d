"""Failures: everything that a user can cause becomes lines on stderr and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from typing import IO, Any

import click

from commscaffoldd.cli import exit_codes
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.master.control_client import ControlTimeout, NotPermitted, NotRunning, StopRefused


class Failure(click.ClickException):
    """Ends the command with these lines on stderr and this exit code."""

    def __init__(self, lines: Iterable[str], exit_code: int = exit_codes.FAILURE) -> None:
        self.lines = tuple(lines) or ("failed, and no reason was given",)
        super().__init__("\n".join(self.lines))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines; the first one says that it is an error."""
        for index, line in enumerate(self.lines):
            click.echo(line if index else f"error: {line}", file=file, err=file is None)


def warn(text: str) -> None:
    """Say something on stderr that does not end the command."""
    click.echo(f"warning: {text}", err=True)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turns what goes wrong below into a `Failure`, or into a quiet end after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None
    except ConfigErrors as error:
        raise Failure(map(str, error.errors), exit_codes.CONFIGURATION) from None
    except NotRunning as error:
        raise Failure([str(error)], exit_codes.NOT_RUNNING) from None
    except NotPermitted as error:
        raise Failure([str(error)], exit_codes.NOT_PERMITTED) from None
    except (ControlTimeout, StopRefused) as error:
        raise Failure(str(error).splitlines()) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # `| head` has read enough: click ends quietly
            raise
        code = exit_codes.NOT_PERMITTED if isinstance(error, PermissionError) else exit_codes.FAILURE
        raise Failure([describe(error)], code) from None


def describe(error: OSError) -> str:
    """An OSError in one line: the reason, and the file if there is one."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
