"""The running daemon as the commands see it: where it is, and asking it something."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.failure import Failure, warn
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.find import find_config, run_dir_of
from commscaffoldd.config.load import load
from commscaffoldd.master import control_client
from commscaffoldd.master.control_client import ControlTimeout, NotRunning
from commscaffoldd.master.pidfile import running_pid

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that the master may take for a line. It has one loop and never works long in it."""
_DEFAULT_STOP_TIMEOUT: Final = 30.0


class Refused(Failure):
    """The daemon answered, and said no."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon is, or would be.

    Attributes:
        config: the configuration file.
        run_dir: the folder of its pidfile and control socket.
        stop_timeout: seconds that it stops gracefully.
    """

    config: Path
    run_dir: Path
    stop_timeout: float = _DEFAULT_STOP_TIMEOUT

    @property
    def control_socket(self) -> Path:
        """The socket that the master answers at."""
        return self.run_dir / "control.sock"

    @property
    def pidfile(self) -> Path:
        """The file that the master holds locked."""
        return self.run_dir / "commscaffoldd.pid"


def locate(config_file: str | None) -> Place:
    """Find the daemon's place, even when its configuration has become invalid (with a warning).

    Raises ConfigErrors if there is no configuration file.
    """
    path = find_config(config_file)
    try:
        config = load(path)
    except ConfigErrors:
        place = Place(path, run_dir_of(path))
        warn(f"{path} is not valid (`commscaffoldd check` says why); looking for the daemon in {place.run_dir}")
        return place
    return Place(path, config.control_socket.parent, config.daemon.stop_timeout)


def show_progress(text: str) -> None:
    """Print a line of progress to stderr."""
    click.echo(text, err=True)


def ask(place: Place, command: Mapping[str, Any], timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
    """Send a command to the master, show its progress, return its answer.

    Raises Refused, or Failure if it hangs; NotRunning and NotPermitted as the control client does.
    """
    with hung_master_explained(place):
        answer: dict[str, Any] = control_client.request(place.control_socket, command, timeout, show_progress)
    if not answer.get("ok"):
        raise Refused(answer.get("errors", ()), answer.get("exit_code", exit_codes.FAILURE))
    return answer


def stop(place: Place, *, now: bool, timeout: float | None) -> int:
    """Stop the daemon; returns its pid once it is down. Raises as `ask` does, and StopRefused."""
    drain = 0.0 if now else place.stop_timeout if timeout is None else timeout
    with hung_master_explained(place):
        pid: int = control_client.stop(
            place.control_socket,
            now=now,
            drain=timeout,
            timeout=drain + ANSWER_TIMEOUT,
            on_progress=show_progress,
        )
    return pid


@contextlib.contextmanager
def hung_master_explained(place: Place) -> Iterator[None]:
    """Adds to a missing answer which process does not answer, and what to do about it.

    Raises Failure instead of ControlTimeout and NotRunning if a master is there.
    """
    try:
        yield
    except (ControlTimeout, NotRunning) as error:
        pid = running_pid(place.pidfile)
        if pid is None:
            raise
        raise Failure([str(error), *_advice(pid, place.pidfile)]) from None


def _advice(pid: int, pidfile: Path) -> list[str]:
    if not pid:
        return [f"A master holds {pidfile} and has not written its pid yet: it is starting. Try again."]
    return [
        f"The master, pid {pid}, is there but does not answer: it is starting, stopping, or hung.",
        "Its log may say more. If it stays so:",
        f"  kill -QUIT {pid}    stops it at once",
        f"  kill -KILL {pid}    if even that does nothing; its workers notice, and stop within a second",
    ]
