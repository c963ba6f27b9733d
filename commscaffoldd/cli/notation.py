"""How `call` reads a body and shows a reply: as it is, in hex, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol

import click
import msgspec

from commscaffoldd.cli.body import hex_dump, read_body
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.typed.body import NotConvertible, body_from_json, body_to_json
from commscaffoldd.cli.typed.choice import reply_format, request_type
from commscaffoldd.cli.typed.known import KnownMessage


class Notation(Protocol):
    """One of them."""

    def read(self, text: str) -> bytes:
        """The body that was typed. Raises click.BadParameter, or OSError for a file that cannot be read."""

    def show(self, reply: bytes) -> None:
        """Print a reply to standard output. Raises Failure if it has no such form."""


class AsItIs:
    """Bytes in, bytes out."""

    def read(self, text: str) -> bytes:
        """As `read_body`."""
        return read_body(text)

    def show(self, reply: bytes) -> None:
        """Unchanged; on a terminal with a newline."""
        click.echo(reply, nl=sys.stdout.isatty())


class Hex:
    """Hex in, a dump out; files and standard input are taken as they are."""

    def read(self, text: str) -> bytes:
        """As `read_body`, but for text."""
        if text.startswith(("-", "@")):
            return read_body(text)
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise click.BadParameter(f"not hex: {error}", param_hint="BODY") from None

    def show(self, reply: bytes) -> None:
        """As a dump."""
        click.echo(hex_dump(reply), nl=False)


class Json:
    """JSON in, JSON out, for one message ID."""

    def __init__(self, message_id: int, format_name: str | None, known: Mapping[int, KnownMessage]) -> None:
        """Raises Failure if nobody says which format the message has, or that has no JSON."""
        try:
            self._kind = request_type(message_id, format_name, known)
            self._reply_format = reply_format(message_id, format_name, known)
        except NotConvertible as error:
            raise Failure([str(error)]) from None

    def read(self, text: str) -> bytes:
        """No text stands for an empty body."""
        content = read_body(text)
        try:
            return body_from_json(content, self._kind) if content else b""
        except NotConvertible as error:
            raise click.BadParameter(str(error), param_hint="BODY") from None

    def show(self, reply: bytes) -> None:
        """On a terminal over several lines, else on one."""
        try:
            shown = body_to_json(reply, self._reply_format) if reply else b""
        except NotConvertible as error:
            raise Failure([f"the reply is {error}; --hex shows it"]) from None
        pretty = sys.stdout.isatty() and shown
        click.echo(msgspec.json.format(shown, indent=2) if pretty else shown)
