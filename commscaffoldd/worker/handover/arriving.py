"""The new worker's side: takes connections from an old one, as long as that has any."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from commscaffoldd.core.connection_pool import ConnectionPool
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.reactor import Reactor
from commscaffoldd.core.slot import Slot
from commscaffoldd.worker.handover.parcels import (
    BrokenStreamError,
    Late,
    Moving,
    ParcelStream,
    Refused,
    Taken,
    close_quietly,
)
from commscaffoldd.worker.handover.reasons import NO_RECEIVER

logger = logging.getLogger(__name__)


class Arrival:
    """Connections that come from one other worker. The reactor's thread."""

    def __init__(
        self,
        stream: ParcelStream,
        reactor: Reactor,
        engine: Engine,
        pool: ConnectionPool,
        endpoints: Mapping[str, Endpoint],
        leaving: Callable[[], bool],
    ) -> None:
        """Begin to take them.

        Args:
            stream: from the other worker.
            reactor: gets the connections.
            engine: watches the stream.
            pool: says whether there is room.
            endpoints: by configured address.
            leaving: whether this worker hands its own connections over, or stops, so that it must take none.
        """
        self._stream = stream
        self._reactor = reactor
        self._engine = engine
        self._pool = pool
        self._endpoints = endpoints
        self._leaving = leaving
        self._adopted: dict[int, tuple[Slot, int]] = {}  # by serial, with the generation
        self._arrived = False
        engine.watch_descriptor(stream.fileno(), self._readable)

    def _readable(self) -> None:
        # In the middle of a poll: what is to be done with it waits for the end of the reactor's turn.
        if not self._arrived:
            self._arrived = True
            self._reactor.call_each_turn(self._take)

    def _take(self) -> bool:
        self._arrived = False
        try:
            for parcel, fd in self._stream.receive():
                if isinstance(parcel, Moving):
                    self._take_connection(parcel, fd)
                elif isinstance(parcel, Late):
                    self._take_late(parcel)
        except BrokenStreamError as error:
            # The other worker keeps what has not been answered.
            logger.error(f"a handover ends early: {error}")  # noqa: TRY400  # says all
            self._stream.ended = True
        if self._stream.ended:
            self._engine.unwatch_descriptor(self._stream.fileno())
            self._stream.close()
        return False

    def _take_connection(self, moving: Moving, fd: int | None) -> None:
        reason = self._why_not(moving)
        if fd is None:
            self._stream.answer(Refused(moving.serial, "no descriptor was free for it"))
            return
        if reason:
            close_quietly(fd)
            self._stream.answer(Refused(moving.serial, reason))
            return
        # First: from here on it is ours, whatever becomes of the other worker; and if that cannot be told, it is not.
        if not self._stream.answer(Taken(moving.serial)):
            close_quietly(fd)
            return
        try:
            slot = self._reactor.adopt(fd, self._endpoints[moving.listen], moving.state)
        except OSError as error:
            logger.error(f"connection {moving.state.id} is lost: {error}")  # noqa: TRY400
            close_quietly(fd)
            return
        self._adopted[moving.serial] = (slot, slot.generation)

    def _why_not(self, moving: Moving) -> str:
        if self._leaving():
            return NO_RECEIVER
        endpoint = self._endpoints.get(moving.listen)
        if endpoint is None:
            return f"{moving.listen} is no listener any more"
        if describe_layout(endpoint) != moving.layout:
            return f"another layout is spoken at {moving.listen} now"
        if self._pool.room <= 0:
            return "[connections] max has been reached"
        return ""

    def _take_late(self, late: Late) -> None:
        slot, generation = self._adopted.get(late.serial, (None, 0))
        if slot is None:
            return
        for reply in late.replies:
            slot.queue(generation, reply)
        self._engine.flush_soon(slot)
        if late.close and slot.connection is not None and slot.generation == generation:
            slot.connection.close(late.close)


def describe_layout(endpoint: Endpoint) -> str:
    """What is spoken at an endpoint, so that two workers of different configurations can compare it."""
    layout = endpoint.layout
    return f"{layout.spec!r} {endpoint.default_id if not layout.has_id else ''}"
