"""`commscaffoldd replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.filter import ALLOWED_PEER
from commscaffoldd.capture.recording import Recording, layout_of, load_recording
from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure, warn
from commscaffoldd.cli.options import config_option, json_option, timeout_option
from commscaffoldd.cli.parameters import to_address, to_message_ids, to_peer, to_speed
from commscaffoldd.cli.replay_progress import replay_progress
from commscaffoldd.cli.replay_text import as_object, describe
from commscaffoldd.cli.speech import layout_for
from commscaffoldd.client.descriptors import TooManyConnections, allow_connections
from commscaffoldd.client.replay import Replay
from commscaffoldd.client.replay_plan import ReplayPlan
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import Layout
from commscaffoldd.log.escape import escape

_MOST: Final = 100_000


@click.command(
    epilog=examples(
        "commscaffoldd replay all.cap 127.0.0.1:9000",
        "commscaffoldd replay all.cap 127.0.0.1:9000 --speed max --check",
        "commscaffoldd replay all.cap test.example.com:9000 --id 5 --speed 10 --json",
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("address", callback=to_address)
@config_option
@click.option(
    "--speed",
    default="1",
    show_default=True,
    callback=to_speed,
    metavar="N",
    help="1 as it was recorded, 2 twice as fast; max as fast as the daemon takes it.",
)
@click.option(
    "--check", is_flag=True, help="Compare the replies with the recorded ones; any difference is a failure."
)
@click.option(
    "--connections",
    type=click.IntRange(1, _MOST),
    default=1000,
    show_default=True,
    metavar="N",
    help="At most N open at the same time; the next ones wait.",
)
@click.option(
    "--id", "ids", multiple=True, callback=to_message_ids, metavar="N", help="Only this message ID; may be repeated."
)
@click.option("--peer", default="", callback=to_peer, metavar="PEER", help=f"Only what came from {ALLOWED_PEER}.")
@click.option("--from", "listen", default="", metavar="LISTEN", help="Only what came in by this listener.")
@click.option(
    "--layout", "layout_name", metavar="NAME", help="The header layout to speak. By default the recorded one."
)
@timeout_option("For connecting, and for how long a silence replies are waited for.")
@json_option
def replay(
    file: Path,
    address: Address,
    *,
    config_file: str | None,
    speed: float,
    check: bool,
    connections: int,
    ids: tuple[int, ...],
    peer: str,
    listen: str,
    layout_name: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Play what clients sent in a capture to a daemon.

    Each recorded connection gets one of its own, and its messages keep their order. Sequences are sent as they were
    recorded, so replies are paired with the recorded ones.

    The exit code is 0 if every connection could be played to its end; with --check, only if every reply was the same.
    """
    try:
        recording = load_recording(file, ids, peer, listen)
    except CaptureError as error:
        raise Failure([str(error)]) from None
    if recording.note:
        warn(recording.note)
    layout = layout_for(address, layout_name, config_file) if layout_name else _recorded_layout(recording)
    plan = ReplayPlan(address, layout, recording, speed, connections, timeout, _default_id(recording))
    try:
        allow_connections(min(connections, len(recording.connections)))
    except TooManyConnections as error:
        raise Failure([str(error)]) from None
    with replay_progress(recording.messages) as progress:
        result = Replay(plan, progress).run()
    if as_json:
        click.echo(json.dumps(as_object(result, check=check), indent=2))
    else:
        click.echo("\n".join(map(escape, describe(plan, result, check=check))))
    if result.interrupted:
        raise click.exceptions.Exit(exit_codes.INTERRUPTED)
    if result.failed or (check and (result.missing or result.different)):
        raise click.exceptions.Exit(exit_codes.FAILURE)


def _recorded_layout(recording: Recording) -> Layout:
    found = {
        layout.spec: layout for one in recording.connections.values() for layout in [layout_of(one, recording.spoken)]
    }
    if len(found) > 1:
        listeners = escape(", ".join(sorted({one.listen for one in recording.connections.values()})))
        raise click.UsageError(
            f"connections of different layouts are in the capture; choose with --from LISTEN: {listeners}"
        )
    return next(iter(found.values()))


def _default_id(recording: Recording) -> int:
    """Where the layout has no ID, all messages have this one."""
    first = next(iter(recording.connections.values()))
    spoken = recording.spoken.get(first.listen)
    return spoken.default_id if spoken is not None else 1
