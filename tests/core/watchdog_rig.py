"""A reactor's rig with a handler watchdog that looks when the test says so."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

from commscaffoldd.core.endpoint import decode_error
from commscaffoldd.core.handler_watchdog import HandlerWatchdog
from commscaffoldd.core.route import Route
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig

ERROR_ID = 0xFFFFFFFF
TIMEOUT = 10.0


@dataclasses.dataclass
class Told:
    """What the master would hear."""

    held: list[str] = dataclasses.field(default_factory=list)
    changes: int = 0

    def hung(self, what: str) -> None:
        self.held.append(what)

    def quarantine_changed(self) -> None:
        self.changes += 1


class Gate:
    """A handler that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = 0
        self._open = threading.Semaphore(0)

    def __call__(self, request: Any) -> bytes:
        self.entered += 1
        assert self._open.acquire(timeout=30)
        return b"late " + bytes(request.body)

    def let_go(self, count: int = 1) -> None:
        self._open.release(count)


class WatchdogRig:
    """Time is what the test says it is."""

    def __init__(self, rig: ReactorRig, routes: tuple[Route, ...], timeout: float) -> None:
        self.rig = rig
        self.told = Told()
        self.quarantine = rig.core.path.quarantine
        self.now = 1000.0
        self.watchdog = HandlerWatchdog(
            rig.core.path.running,
            rig.core.path.dispatcher.running,
            deferrals=rig.engine.deferrals,
            timeout=timeout,
            routes={one.id: one for one in routes},
            quarantine=self.quarantine,
            observer=self.told,
        )
        rig.core.counters.append(self.watchdog.counters)

    def pass_time(self, seconds: float) -> None:
        """Look, let time pass, and look again."""
        self.watchdog.look(self.now)
        self.now += seconds
        self.watchdog.look(self.now)

    def hang(self, peer: Peer, gate: Gate, message_id: int, sequence: int = 0) -> None:
        """Send a message to a gate's ID, and wait until it is there."""
        before = gate.entered
        peer.send(message_id, b"x", sequence)
        self.rig.until(lambda: gate.entered > before)

    def errors(self, peer: Peer) -> list[tuple[int, int, int]]:
        """Sequence, message ID and code of the error replies that the client has got."""
        peer.pump()
        found = [
            (sequence, *decode_error(body)) for message_id, sequence, body in peer.frames if message_id == ERROR_ID
        ]
        return [(sequence, message_id, code) for sequence, message_id, code, _ in found]


@contextlib.contextmanager
def watchdog_rig(*routes: Route, timeout: float = TIMEOUT, **settings: Any) -> Iterator[WatchdogRig]:
    """A rig; its handlers must have returned at the end."""
    with reactor_rig(*routes, **settings) as rig:
        yield WatchdogRig(rig, routes, timeout)
