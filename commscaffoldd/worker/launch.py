"""What the master hands to a worker."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

from commscaffoldd.config.schema import Config, Listen
from commscaffoldd.core.counters import StatisticsRow
from commscaffoldd.log import LogFile


@dataclasses.dataclass(frozen=True)
class ListenSocket:
    """A listening, non-blocking socket and its configuration.

    With `accept = "reuseport"` the socket is this worker's own; else all workers have the same one.
    """

    listen: Listen
    socket: socket.socket


@dataclasses.dataclass(frozen=True)
class Launch:
    """All that a worker needs to know.

    Attributes:
        number: of this worker; never used twice while the master lives.
        config: the configuration, checked.
        sockets: what to accept from.
        channel: the worker's end of the channel to the master.
        orders: the worker's end of the socket by which the master orders handovers; see `worker.handover.orders`.
        log: the open log.
        statistics: the worker's row of the shared statistics.
        accept_lock: the accept mutex's file.
    """

    number: int
    config: Config
    sockets: list[ListenSocket]
    channel: socket.socket
    orders: socket.socket
    log: LogFile
    statistics: StatisticsRow
    accept_lock: Path
