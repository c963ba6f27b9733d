"""Captures in a worker: one at a time; a new one ends the one before."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.records import Joined
from commscaffoldd.core.assembly import Core
from commscaffoldd.worker.capture.pump import Pump
from commscaffoldd.worker.capture.recorder import Recorder

logger = logging.getLogger(__name__)


class Captures:
    """Begins and ends captures. For the main thread."""

    def __init__(self, core: Core, worker: int, pid: int) -> None:
        """Captures of one worker, with this number and process ID."""
        self._core = core
        self._worker = worker
        self._pid = pid
        self._changing = threading.Lock()  # of the path's tap
        self._recorder: Recorder | None = None
        self._pump: Pump | None = None

    def begin(self, order: Mapping[str, Any], stream: socket.socket) -> None:
        """Record what the order wants, into this socket, until its other end is closed or shut."""
        wanted = msgspec.convert(order["filter"], CaptureFilter)
        recorder = Recorder(wanted, self._worker)
        with self._changing:
            self._recorder = recorder
            self._core.set_tap(recorder)
        joined = Joined(time.monotonic_ns(), self._worker, self._pid)
        pump = Pump(recorder, stream, joined, lambda: self._untap(recorder))
        try:
            pump.start()
        except RuntimeError as error:  # the system has no thread left; clients are served all the same
            logger.error(f"this worker does not take part in the capture: {error}")  # noqa: TRY400  # says all
            self._untap(recorder)
            stream.close()
            return
        self._pump = pump

    def stop(self, timeout: float) -> None:
        """Bring what has been recorded on its way, in so many seconds, and end. Once nothing passes any more."""
        if self._pump is not None:
            self._pump.stop(timeout)

    def _untap(self, recorder: Recorder) -> None:
        """The pump's thread. Not the tap of a later capture, whose order has come meanwhile."""
        with self._changing:
            if self._recorder is recorder:
                self._core.set_tap(None)
