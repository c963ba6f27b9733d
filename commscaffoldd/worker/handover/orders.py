"""What the master orders: to hand connections over, to take some, to record. Each order brings its descriptors.

A sequenced-packet socket of its own, since the channel's lines cannot carry descriptors: one packet is one order, a
JSON object with one end of a stream socket pair for each worker at the other end.
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from commscaffoldd.core.assembly import Core
from commscaffoldd.core.descriptors import MOST_IN_A_MESSAGE
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.worker.handover.arriving import Arrival
from commscaffoldd.worker.handover.leaving import Leaving, Report
from commscaffoldd.worker.handover.parcels import ParcelStream

_PACKET: Final = 65536  # bytes of an order, at most


class Orders:
    """Obeys the master's orders. The reactor's thread."""

    def __init__(
        self,
        orders: socket.socket,
        core: Core,
        endpoints: Mapping[str, Endpoint],
        tell: Callable[[Mapping[str, Any]], None],
        capture: Callable[[Mapping[str, Any], socket.socket], None],
    ) -> None:
        """Begin to listen.

        Args:
            orders: the worker's end of the socket.
            core: has the connections, and gets others.
            endpoints: by configured address.
            tell: tells the master how far a handover is.
            capture: begins a capture, into a socket that it owns then.
        """
        self._orders = orders
        self._core = core
        self._engine = core.path.engine
        self._endpoints = endpoints
        self._tell = tell
        self._capture = capture
        self._leaving = False
        self._waiting: deque[tuple[Mapping[str, Any], list[ParcelStream]]] = deque()
        self._current: Leaving | None = None
        orders.setblocking(False)
        self._engine.watch_descriptor(orders.fileno(), self._readable)

    def _readable(self) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._orders, _PACKET, MOST_IN_A_MESSAGE)  # it ignores flags
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if not data:  # the master has died: the channel's thread sees to that
                self._engine.unwatch_descriptor(self._orders.fileno())
                return
            for fd in fds:  # a program that a plugin starts must not hold a stream open: its end tells of a death
                os.set_inheritable(fd, False)
            self._obey(json.loads(data), [socket.socket(fileno=fd) for fd in fds])

    def _obey(self, order: Mapping[str, Any], sockets: list[socket.socket]) -> None:
        if order["order"] == "capture":
            for one in sockets:  # none, if there was no descriptor free for it
                self._capture(order, one)
            return
        streams = [ParcelStream(one) for one in sockets]
        if order["order"] == "adopt":
            for stream in streams:
                Arrival(
                    stream,
                    self._core.reactor,
                    self._engine,
                    self._core.path.connections,
                    self._endpoints,
                    lambda: self._leaving or self._core.reactor.stopping,
                )
        else:
            self._hand_over(order, streams)

    def _hand_over(self, order: Mapping[str, Any], streams: list[ParcelStream]) -> None:
        if order["count"] is None:
            self._leaving = True
            self._engine.stop_accepting()
        if self._current is None and not self._waiting:
            self._core.reactor.call_each_turn(self._step)
        self._waiting.append((order, streams))

    def _step(self) -> bool:
        """One handover after another: a later order cuts an earlier one short."""
        if self._current is None:
            self._current = self._begin(*self._waiting.popleft())
        if self._waiting or self._core.reactor.stopping:
            self._current.hurry()
        if not self._current.step():
            self._current = None
        return self._current is not None or bool(self._waiting)

    def _begin(self, order: Mapping[str, Any], streams: list[ParcelStream]) -> Leaving:
        slots = self._engine.open_slots()[: order["count"]]
        number = order.get("number")
        return Leaving(
            self._core.departures,
            self._engine,
            streams,
            slots,
            float(order["timeout"]),
            lambda report: self._report(number, report),
        )

    def _report(self, number: int | None, report: Report) -> None:
        self._tell(
            {
                "event": "handover",
                "number": number,
                "moved": report.moved,
                "left": report.left,
                "kept": report.kept,
                "done": report.done,
            }
        )
