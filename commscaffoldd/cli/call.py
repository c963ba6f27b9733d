"""`commscaffoldd call`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure, describe
from commscaffoldd.cli.notation import AsItIs, Hex, Json, Notation
from commscaffoldd.cli.options import config_option, layout_option, timeout_option
from commscaffoldd.cli.parameters import to_address, to_message_id
from commscaffoldd.cli.speech import layout_for
from commscaffoldd.cli.typed.body import FORMATS
from commscaffoldd.cli.typed.known import KnownMessage, known_messages
from commscaffoldd.client import ClientError, ErrorReply, Frame, FrameClient
from commscaffoldd.core.address import Address
from commscaffoldd.core.endpoint import BAD_BODY
from commscaffoldd.core.layout import Layout


@click.command(
    epilog=examples(
        "commscaffoldd call 127.0.0.1:9000 1 hello",
        "commscaffoldd call 127.0.0.1:9000 1 @picture.png > reply.png",
        "commscaffoldd call 127.0.0.1:9001 5 --layout compact --hex '48 45 4c 4c 4f' -v",
        """commscaffoldd call 127.0.0.1:9000 1001 --json '{"user": "bob"}'""",
    )
)
@click.argument("address", callback=to_address)
@click.argument("message_id", callback=to_message_id, metavar="ID")
@click.argument("body", default="")
@config_option
@layout_option
@click.option("--hex", "in_hex", is_flag=True, help="BODY is given in hex; the reply is shown as a hex dump.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="BODY is JSON, converted to what the message's handler takes; the reply is shown as JSON.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="The same for a server that cannot be asked: how typed bodies are written.",
)
@timeout_option("For connecting, and again for message and reply.")
@click.option("--no-reply", is_flag=True, help="Only send; do not wait for a reply.")
@click.option("--verbose", "-v", is_flag=True, help="Show the header of each frame on stderr.")
def call(
    address: Address,
    message_id: int,
    body: str,
    *,
    config_file: str | None,
    layout_name: str | None,
    in_hex: bool,
    as_json: bool,
    format_name: str | None,
    timeout: float,
    no_reply: bool,
    verbose: bool,
) -> None:
    """Send one message and print its reply's body.

    ADDRESS is host:port, [IPv6]:port or unix:/path; ID the message ID, 0 for a heartbeat. BODY is text, `-`
    for standard input or `@file` for a file's content; the last two are taken as they are with --hex, too.
    The reply is printed as it came, with a newline after it only on a terminal. An error reply goes to
    stderr, and the exit code is 1.

    With --json, the types are those that the daemon at ADDRESS tells, if it is one of the configuration at hand; for
    others --format says how bodies are written. Bytes in JSON are base64. Keys in JSON are text: where a MessagePack
    body has others, give it by --hex.

    On layouts without a sequence, the reply is the first frame with the same ID; on those without an
    ID, the first frame, and ID is not sent.
    """
    layout = layout_for(address, layout_name, config_file)
    as_json = as_json or format_name is not None
    if in_hex and as_json:
        raise click.UsageError("--hex and --json exclude each other")
    notation: Notation = AsItIs()
    if as_json:
        notation = Json(message_id, format_name, known_messages(address, config_file))
    elif in_hex:
        notation = Hex()
    content = notation.read(body)
    try:
        layout.check_fits(message_id, len(content))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _connect(address, layout, timeout, TracingClient if verbose else FrameClient) as client:
        try:
            if no_reply:
                client.send(message_id, content)
                return
            reply = client.call(message_id, content)
        except (ClientError, TimeoutError) as error:
            hints = [] if as_json else _hints(error, message_id, known_messages(address, config_file))
            raise Failure([f"{address}: {error}", *hints]) from None
    notation.show(reply)


class TracingClient(FrameClient):
    """A client that shows the header of every frame on stderr."""

    def send(self, message_id: int, body: bytes = b"", sequence: int | None = None) -> int:
        """Send, then show what was sent."""
        used = super().send(message_id, body, sequence)
        self._show(">", Frame(message_id, used, body))
        return used

    def receive(self, timeout: float | None = None) -> Frame:
        """Receive, and show it."""
        frame = super().receive(timeout)
        self._show("<", frame)
        return frame

    def _show(self, direction: str, frame: Frame) -> None:
        header = self.layout.encode(*frame)[: self.layout.header_size]
        parts = [f"id {frame.id}"] if self.layout.has_id else []
        parts += [f"sequence {frame.sequence}"] if self.layout.has_sequence else []
        click.echo(f"{direction} {', '.join([*parts, f'body {len(frame.body)} bytes'])}: {header.hex(' ')}", err=True)


def _hints(error: Exception, message_id: int, known: Mapping[int, KnownMessage]) -> list[str]:
    """Who writes text for a message that is not text is told how it is written."""
    message = known.get(message_id)
    if not isinstance(error, ErrorReply) or error.code != BAD_BODY or message is None or message.body is None:
        return []
    written = message.body.format
    return [f"{message.name} takes {written}: give BODY as JSON, with --json"] if written in FORMATS else []


def _connect(address: Address, layout: Layout, timeout: float, client: type[FrameClient]) -> FrameClient:
    try:
        return client(address, layout, timeout)
    except TimeoutError:
        raise Failure([f"cannot connect to {address} within {timeout:g} seconds"]) from None
    except OSError as error:
        raise Failure([f"cannot connect to {address}: {describe(error)}"]) from None
