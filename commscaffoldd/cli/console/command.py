"""`commscaffoldd console`."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import click

from commscaffoldd.cli.console.script import run_script, standard_input
from commscaffoldd.cli.console.session import Server, Session
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import warn
from commscaffoldd.cli.options import config_option, layout_option, timeout_option
from commscaffoldd.cli.parameters import to_address
from commscaffoldd.cli.speech import daemon_at, layout_for
from commscaffoldd.cli.typed.body import FORMATS
from commscaffoldd.cli.typed.known import known_messages
from commscaffoldd.config.schema import Config
from commscaffoldd.core.address import Address


@click.command(
    epilog=examples(
        "commscaffoldd console 127.0.0.1:9000",
        "echo '1001 hello' | commscaffoldd console 127.0.0.1:9000",
        "commscaffoldd console 127.0.0.1:9000 < script.txt",
    )
)
@click.argument("address", callback=to_address)
@config_option
@layout_option
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="How JSON is written, for messages of which the daemon does not tell. By default as text.",
)
@timeout_option("For connecting, and for each reply.")
def console(
    address: Address, config_file: str | None, layout_name: str | None, format_name: str | None, timeout: float
) -> None:
    """Send messages over one connection, and see what comes.

    A line is a message: its ID, then its body as text, `hex: 48 45`, `@file`, or JSON for typed messages. Replies are
    shown with the time that they took, and pushes when they come. `help` lists the commands. Tab completes message
    IDs, if the daemon at ADDRESS is that of the configuration at hand. Heartbeats keep the connection.

    Ctrl-C does not wait for a reply any longer, Ctrl-D leaves.

    If standard input is no terminal, its lines are sent one after the other, each after the reply to the one
    before; the exit code is 0 if every one was answered, and not by an error.
    """
    server = Server(
        address=address,
        layout=layout_for(address, layout_name, config_file),
        known=known_messages(address, config_file),
        format_name=format_name,
        timeout=timeout,
        keep_alive=_keep_alive(daemon_at(address, config_file)),
    )
    sys.exit(asyncio.run(_run(server)))


def _keep_alive(config: Config | None) -> float:
    """Seconds between two heartbeats: three in the time after which the daemon would close a silent connection."""
    heartbeat = (config or Config(path=Path())).heartbeat
    return max(0.05, heartbeat.interval * heartbeat.misses / 3)


async def _run(server: Server) -> int:
    session = Session(server, print)
    if sys.stdin.isatty():
        if importlib.util.find_spec("prompt_toolkit") is not None:
            from commscaffoldd.cli.console.terminal import run_terminal  # noqa: PLC0415  # it is an extra

            return await run_terminal(session, server)
        warn("no completion, no history: they need prompt_toolkit, which is the extra `console`")
    return await run_script(session, standard_input())
