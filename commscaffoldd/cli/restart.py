"""`commscaffoldd restart`."""

from __future__ import annotations

import click

from commscaffoldd.cli import daemon, exit_codes
from commscaffoldd.cli.canary import run_canary
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.options import config_option, stop_options
from commscaffoldd.cli.start import launch
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.core.address import systemd_name
from commscaffoldd.master.pidfile import running_pid


@click.command(
    epilog=examples(
        "commscaffoldd restart",
    )
)
@config_option
@stop_options[0]
@stop_options[1]
def restart(config_file: str | None, *, now: bool, timeout: float | None) -> None:
    """Stop the daemon and start it again.

    If it is not running, only start it. The configuration and the plugins are checked first: if they are
    wrong, the daemon is not stopped.
    Connections are closed: `reload` is the command that takes over changes without that.
    A daemon that systemd started is restarted by `systemctl restart`.
    """
    path = find_config(config_file)
    config = load(path)
    for index, listen in enumerate(config.listen):
        if systemd_name(listen.address) is not None:
            found = f"{path}: listen[{index}].address is {listen.address}, which only systemd can open"
            raise Failure([f"{found}: use `systemctl restart`. The daemon has not been stopped."], exit_codes.FAILURE)
    if running_pid(config.pidfile) is not None:
        report = run_canary(path, config.daemon.start_timeout)
        if not report.ok:
            raise Failure([*report.errors, "The daemon has not been stopped."], exit_codes.CONFIGURATION)
        place = daemon.Place(path, config.control_socket.parent, config.daemon.stop_timeout)
        pid = daemon.stop(place, now=now, timeout=timeout)
        click.echo(f"commscaffoldd, pid {pid}, has stopped")
    launch(config)
