"""Captures, as the master sees them: it connects each worker with whoever captures, and touches no record itself.

For each worker a socket pair is made; one end goes to the worker with an order, the other one to the client of the
control socket. Workers that are started while a capture runs are connected in the same way, before they serve.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable

import msgspec

from commscaffoldd.capture.filter import CaptureFilter, peer_matcher
from commscaffoldd.capture.records import Spoken
from commscaffoldd.config.schema import Config
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.master.control import ControlRequest
from commscaffoldd.master.workers import Worker
from commscaffoldd.version import __version__

LOG = logging.getLogger(__name__)


class Captures:
    """The capture that runs, if one does."""

    def __init__(self, workers: Callable[[], Iterable[Worker]], config: Callable[[], Config]) -> None:
        """Captures.

        Args:
            workers: all that live.
            config: the configuration that is in effect.
        """
        self._workers = workers
        self._config = config
        self._running: ControlRequest | None = None
        self._order: bytes = b""

    def begin(self, request: ControlRequest) -> None:
        """Begin a capture; it lasts until its client closes the connection. Refused while another one runs."""
        try:
            wanted = msgspec.convert(request.message.get("filter", {}), CaptureFilter)
            peer_matcher(wanted.peer)
        except ValueError as error:  # msgspec's are, too
            request.fail([f"filter: {error}"])
            return
        if self._running is not None:
            request.fail(["a capture is running already; one at a time: each costs the workers time"])
            return
        self._running = request
        self._order = msgspec.json.encode({"order": "capture", "filter": wanted})
        request.when_gone(self._ended)
        joined = [worker.number for worker in self._workers() if self._connect(request, worker)]
        LOG.info(f"a capture begins: {wanted.describe()}")
        request.answer_and_stay(version=__version__, workers=joined, spoken=describe_spoken(self._config()))

    def worker_born(self, worker: Worker) -> None:
        """A worker has been forked. What is ordered now it finds before it serves."""
        if self._running is not None:
            self._connect(self._running, worker)

    def _connect(self, request: ControlRequest, worker: Worker) -> bool:
        if worker.orders is None:
            return False
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                # First the client: a worker whose other end nobody has got sees its end, and stops at once.
                if not request.pass_descriptor(ours.fileno(), worker=worker.number):
                    raise OSError("the client does not read")
                socket.send_fds(worker.orders, [self._order], [theirs.fileno()])
        except OSError as error:
            LOG.error(f"{worker} does not take part in the capture: {error}")  # noqa: TRY400  # says all
            return False
        return True

    def _ended(self) -> None:
        self._running = None
        LOG.info("the capture has ended")


def describe_spoken(config: Config) -> list[object]:
    """What is spoken at a configuration's listeners, as JSON can say it: an array for each `records.Spoken`."""
    found = []
    for listen in config.listen:
        layout = config.layout_of(listen)
        endpoint = Endpoint.make(
            listen.address, layout, default_id=listen.default_id, control_ids=config.frame.control_ids
        )
        found.append(Spoken(listen.address, layout.name, layout.spec, listen.default_id, endpoint.error_id))
    return list(msgspec.to_builtins(found))
