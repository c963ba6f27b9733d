"""A rehearsal in a canary, within its time: who hangs in it is named, and does not hold the reload up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.recording import load_recording
from commscaffoldd.config.schema import Config
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.plugins import make_endpoint
from commscaffoldd.worker.rehearsal.rehearsal import Rehearsal

SHARE: Final = 0.9
"""Of the canary's time: what is left is for reporting, before the canary is killed."""


class Programme(Struct, frozen=True):
    """What a canary is to play.

    Attributes:
        path: the capture.
        timeout: seconds that the whole canary has.
        began: when it was begun, on the monotonic clock.
    """

    path: Path
    timeout: float
    began: float


class Performed(Struct, frozen=True):
    """What came of it: what is wrong, in lines, and how many messages were played."""

    errors: list[str]
    played: int = 0


def perform(
    programme: Programme, config: Config, host: PluginHost, now: float, too_late: Callable[[Performed], None]
) -> Performed:
    """Play a capture through the handlers of a host that has been loaded. The only thread of a canary.

    Handlers do all that they do: what they write, they write. `WorkerInfo.canary` tells plugins.

    Args:
        programme: what to play.
        config: the configuration that the host was loaded for.
        host: the plugins.
        now: the time, on the monotonic clock.
        too_late: called on another thread if it takes too long; it must end the process.

    Raises:
        PluginErrors: `worker_started` of a plugin has failed.
    """
    try:
        recording = load_recording(programme.path)
    except CaptureError as error:
        return Performed([str(error)])
    except OSError as error:
        return Performed([f"{programme.path}: {error.strerror}: the daemon's user must be able to read it"])
    worker = WorkerInfo(0, os.getpid(), canary=True)
    host.worker_started(worker)
    endpoints = {listen.address: make_endpoint(config, listen) for listen in config.listen}
    rehearsal = Rehearsal(recording, host, endpoints, config.business.handler_timeout)

    def give_up() -> None:
        where = rehearsal.current or f"{programme.path}: {rehearsal.played} of {recording.messages} messages"
        what = "is still running" if rehearsal.current else "were played"
        hint = f"{where}: {what} when daemon.start_timeout ({programme.timeout:g} s) was nearly over"
        too_late(Performed([*rehearsal.errors, hint], rehearsal.played))

    timer = threading.Timer(max(0.0, programme.began + programme.timeout * SHARE - now), give_up)
    timer.daemon = True
    timer.start()
    rehearsal.play()
    timer.cancel()
    host.worker_stopping(worker)
    return Performed(rehearsal.errors, rehearsal.played)
