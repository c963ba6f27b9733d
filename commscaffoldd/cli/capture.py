"""`commscaffoldd capture`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec

from commscaffoldd.capture.filter import ALLOWED_PEER, CaptureFilter, Direction
from commscaffoldd.capture.records import Header, Spoken
from commscaffoldd.capture.writer import CaptureWriter
from commscaffoldd.cli import daemon, exit_codes
from commscaffoldd.cli.capture_loop import CaptureLoop, Limits
from commscaffoldd.cli.capture_text import show
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option
from commscaffoldd.cli.parameters import to_message_ids, to_peer, to_size
from commscaffoldd.cli.units import counted, size
from commscaffoldd.master import capture_client

_DEFAULT_SIZE: Final = "256M"


@click.command(
    epilog=examples(
        "commscaffoldd capture -o all.cap",
        "commscaffoldd capture --id 5 --peer 192.0.2.0/24 --duration 60 -o login.cap",
        "commscaffoldd capture --show login.cap",
        "commscaffoldd capture --show login.cap --json | jq -r 'select(.id == 5) | .body'",
    )
)
@config_option
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--id", "ids", multiple=True, callback=to_message_ids, metavar="N", help="Only this message ID; may be repeated."
)
@click.option("--peer", default="", callback=to_peer, metavar="PEER", help=f"Only this peer: {ALLOWED_PEER}.")
@click.option(
    "--direction",
    type=click.Choice(["in", "out", "both"]),
    default="both",
    show_default=True,
    help="What clients send, what they are sent, or both.",
)
@click.option(
    "--duration", type=click.FloatRange(min=0.001, max=86400 * 365), metavar="SECONDS", help="End after so long."
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many messages.")
@click.option(
    "--max-size",
    default=_DEFAULT_SIZE,
    show_default=True,
    callback=to_size,
    metavar="BYTES",
    help="End before the file is larger; K, M and G are units.",
)
@click.option(
    "--show",
    "shown",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Print what a capture has, through the same filters, instead of making one.",
)
@click.option("--json", "as_json", is_flag=True, help="With --show: a JSON object a line.")
def capture(
    config_file: str | None,
    *,
    output: Path | None,
    force: bool,
    ids: tuple[int, ...],
    peer: str,
    direction: Direction,
    duration: float | None,
    count: int | None,
    max_size: int,
    shown: Path | None,
    as_json: bool,
) -> None:
    """Record the messages of the running daemon into a file.

    All workers take part, also those that start meanwhile. Ends by Ctrl-C, or at one of the limits. A daemon that has
    more than can be written is not held up: what finds no room is left out, and counted.

    Bodies are recorded as they are, secrets among them: the file is made with mode 0600.
    """
    wanted = CaptureFilter(ids, peer, direction)
    if (output is None) == (shown is None):
        raise click.UsageError("give either -o FILE, to capture, or --show FILE")
    if shown is not None:
        show(shown, wanted, as_json=as_json)
    elif output is not None:
        _record(config_file, output, wanted, Limits(duration, count, max_size), replace=force)


def _record(config_file: str | None, output: Path, wanted: CaptureFilter, limits: Limits, *, replace: bool) -> None:
    place = daemon.locate(config_file)
    started, clock = time.time(), time.monotonic_ns()
    with _begun(place, wanted) as (link, answer):
        spoken = msgspec.convert(answer["spoken"], tuple[Spoken, ...])
        header = Header(str(answer["version"]), started, clock, spoken, wanted)
        try:
            with CaptureWriter(output, header, replace=replace) as writer:
                loop = CaptureLoop(link, writer, limits)
                try:
                    reason = loop.run(len(answer["workers"]))
                except OSError as error:
                    _fail_writing(error, loop)
        except FileExistsError:
            hint = "it is no file that could be replaced" if replace else "--force replaces it"
            raise Failure([f"{output} is there already; {hint}"]) from None
    lost = f", {counted(loop.lost, 'record')} lost" if loop.lost else ""
    click.echo(f"{output}: {counted(loop.messages, 'message')}, {size(writer.size)}{lost}; {reason}")


@contextlib.contextmanager
def _begun(place: daemon.Place, wanted: CaptureFilter) -> Iterator[tuple[capture_client.CaptureLink, dict[str, Any]]]:
    with contextlib.ExitStack() as stack:
        with daemon.hung_master_explained(place):
            link, answer = stack.enter_context(
                capture_client.capture(place.control_socket, msgspec.to_builtins(wanted), daemon.ANSWER_TIMEOUT)
            )
        if not answer.get("ok"):
            raise daemon.Refused(answer.get("errors", ()), answer.get("exit_code", exit_codes.FAILURE))
        yield link, answer


def _fail_writing(error: OSError, loop: CaptureLoop) -> NoReturn:
    text = f"{error.filename or loop.path}: {error.strerror or error}"
    raise Failure([text, "The capture ends here; the file has whole records, and can be read."]) from None
