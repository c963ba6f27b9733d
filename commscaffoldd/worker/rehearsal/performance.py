"""A rehearsal in a canary, within its time: who hangs in it is named, and does not hold the reload up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.recording import Recording, load_recording
from commscaffoldd.config.schema import Config
from commscaffoldd.core.event_loop import launched
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.worker.life import PluginLife
from commscaffoldd.worker.plugins import make_endpoint
from commscaffoldd.worker.rehearsal.rehearsal import Rehearsal

SHARE: Final = 0.9
"""Of the canary's time: what is left is for reporting, before the canary is killed."""
STOP: Final = 1.0  # seconds for the event loop to end


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
    """What came of it: what is wrong, in lines; how many messages were played, and how many could not be."""

    errors: list[str]
    played: int = 0
    skipped: int = 0


def perform(
    programme: Programme, config: Config, host: PluginHost, now: float, too_late: Callable[[Performed], None]
) -> Performed:
    """Play a capture through the handlers of a host that has been loaded. The first thread of a canary.

    Handlers do all that they do: what they write, they write. `WorkerInfo.canary` tells plugins. Timers do not run.

    Args:
        programme: what to play.
        config: the configuration that the host was loaded for.
        host: the plugins.
        now: the time, on the monotonic clock.
        too_late: called on another thread if it takes too long; it must end the process.

    Raises:
        PluginErrors: `worker_started` of a plugin has failed.
    """
    performance = _Performance(programme, config, host)

    def give_up() -> None:
        too_late(performance.so_far())

    timer = threading.Timer(max(0.0, programme.began + programme.timeout * SHARE - now), give_up)
    timer.daemon = True
    timer.start()
    try:
        return performance.run()
    except CaptureError as error:
        return Performed([str(error)])
    except OSError as error:
        return Performed([f"{programme.path}: {error.strerror}: the daemon's user must be able to read it"])
    finally:
        timer.cancel()


class _Performance:
    def __init__(self, programme: Programme, config: Config, host: PluginHost) -> None:
        self._programme, self._config, self._host = programme, config, host
        self._doing = "was being read"
        self._rehearsal: Rehearsal | None = None

    def so_far(self) -> Performed:
        """What has come of it, if it ends now. Any thread."""
        path, timeout = self._programme.path, self._programme.timeout
        errors, rehearsal = [], self._rehearsal
        where, what = str(path), self._doing
        if rehearsal is not None:
            errors = rehearsal.verdicts.errors
            if rehearsal.current:
                where, what = rehearsal.current, "is still running"
        return Performed([*errors, f"{where}: {what} when daemon.start_timeout ({timeout:g} s) was nearly over"])

    def run(self) -> Performed:
        """Do it. Raises what `perform` names, OSError and CaptureError."""
        recording = load_recording(self._programme.path)
        self._doing = "the hook worker_started had not returned"
        life = PluginLife(self._host, WorkerInfo(0, os.getpid(), canary=True))
        life.start(STOP)
        rehearsal = self._rehearsal = self._prepare(recording, life)
        self._doing = f"not all of its {recording.messages} messages were played"
        rehearsal.play()
        self._doing = "the hook worker_stopping had not returned"
        life.stop(STOP)
        verdicts = rehearsal.verdicts
        return Performed(verdicts.errors, verdicts.played, verdicts.skipped)

    def _prepare(self, recording: Recording, life: PluginLife) -> Rehearsal:
        config, host = self._config, self._host
        routes = host.routes if life.event_loop is None else launched(host.routes, life.event_loop)
        endpoints = {listen.address: make_endpoint(config, listen) for listen in config.listen}
        return Rehearsal(recording, host, routes, endpoints, config.business.handler_timeout)
