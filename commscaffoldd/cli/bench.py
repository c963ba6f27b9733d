"""`commscaffoldd bench`."""

from __future__ import annotations

import contextlib
import json
import sys

import click

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.bench_json import bench_json
from commscaffoldd.cli.bench_progress import bench_progress
from commscaffoldd.cli.bench_text import bench_text, glyphs_of
from commscaffoldd.cli.body import read_body
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure, describe
from commscaffoldd.cli.options import config_option, json_option, layout_option, timeout_option
from commscaffoldd.cli.parameters import to_address, to_message_id, to_optional_message_id
from commscaffoldd.cli.speech import layout_for
from commscaffoldd.client.descriptors import TooManyConnections
from commscaffoldd.client.frame_client import MAX_BODY
from commscaffoldd.client.load import Load
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_result import LoadResult
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import HEARTBEAT_ID

_DEFAULT_SIZE = 64
_DAY = 86400.0


@click.command(
    epilog=examples(
        "commscaffoldd bench 127.0.0.1:9000",
        "commscaffoldd bench 127.0.0.1:9000 --connections 1000 --in-flight 4 --size 512 --duration 30",
        "commscaffoldd bench 127.0.0.1:9001 --layout compact --id 6 --body @login.bin",
        "commscaffoldd bench 127.0.0.1:9000 --json | jq .latency_us.p99",
    )
)
@click.argument("address", callback=to_address)
@config_option
@layout_option
@click.option(
    "--connections",
    type=click.IntRange(1, 1_000_000),
    default=50,
    show_default=True,
    metavar="N",
    help="Connections, all open all the time.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Messages that each connection has under way.",
)
@click.option(
    "--id",
    "message_id",
    default="1",
    show_default=True,
    callback=to_message_id,
    metavar="ID",
    help="The messages' ID; not sent where the layout has none.",
)
@click.option(
    "--reply-id", callback=to_optional_message_id, metavar="ID", help="The replies' ID. By default that of --id."
)
@click.option(
    "--size",
    type=click.IntRange(0, MAX_BODY),
    metavar="BYTES",
    help=f"Of each message's body. By default {_DEFAULT_SIZE}; 0 for heartbeats, which is ID 0.",
)
@click.option("--body", metavar="BODY", help="The body itself: text, `-` for standard input or `@file`.")
@click.option(
    "--duration",
    type=click.FloatRange(0.001, _DAY),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to measure.",
)
@click.option(
    "--warm-up",
    type=click.FloatRange(0, _DAY),
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="Load before that, which is not measured.",
)
@timeout_option("For a reply; a connection that waits longer has failed.")
@click.option(
    "--any-order",
    is_flag=True,
    help="Replies may overtake each other, as those of `concurrent` handlers do.",
)
@json_option
def bench(
    address: Address,
    config_file: str | None,
    layout_name: str | None,
    message_id: int,
    reply_id: int | None,
    size: int | None,
    body: str | None,
    connections: int,
    in_flight: int,
    duration: float,
    warm_up: float,
    timeout: float,
    *,
    any_order: bool,
    as_json: bool,
) -> None:
    """Measure how many messages a running server answers, and how fast.

    It is a closed loop: each connection sends the next message when a reply has come. ADDRESS is host:port,
    [IPv6]:port or unix:/path; any server will do that speaks one of the layouts. Every reply must carry its
    request's ID and sequence, where the layout has them, and come in order; bodies are not looked at. Error
    replies are counted by code, pushes are left out.

    The exit code is 0 only if nothing went wrong. Ctrl-C ends early, and prints what was measured until then.

    A daemon may limit messages of a connection ([flood] in the configuration): a bench that wants more is
    disconnected, as any client would be.
    """
    plan = LoadPlan(
        address=address,
        layout=layout_for(address, layout_name, config_file),
        message_id=message_id,
        reply_id=message_id if reply_id is None else reply_id,
        body=_body(message_id, size, body),
        connections=connections,
        in_flight=in_flight,
        any_order=any_order,
        warm_up=warm_up,
        duration=duration,
        timeout=timeout,
    )
    result, interrupted = _run(plan)
    if as_json:
        click.echo(json.dumps(bench_json(result, interrupted=interrupted), indent=2))
    else:
        click.echo("\n".join(bench_text(result, glyphs_of(sys.stdout))))
    if interrupted:
        raise click.exceptions.Exit(exit_codes.INTERRUPTED)
    if result.error_count:
        raise click.exceptions.Exit(exit_codes.FAILURE)


def _body(message_id: int, size: int | None, body: str | None) -> bytes:
    if body is not None:
        if size is not None:
            raise click.UsageError("--size and --body exclude each other")
        return read_body(body)
    if size is None:
        size = 0 if message_id == HEARTBEAT_ID else _DEFAULT_SIZE
    return b"x" * size


def _run(plan: LoadPlan) -> tuple[LoadResult, bool]:
    """Run it; returns what came out, and whether Ctrl-C ended it."""
    try:
        load = Load(plan)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    interrupted = False
    with contextlib.closing(load):
        try:
            with bench_progress(plan.warm_up + plan.duration) as show:
                load.run(show)
        except KeyboardInterrupt:
            interrupted = True
        except TooManyConnections as error:
            raise Failure([str(error)]) from None
        except OSError as error:
            raise Failure([f"cannot connect to {plan.address}: {describe(error)}"]) from None
        return load.result(), interrupted
