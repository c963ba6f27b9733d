"""A tap hears of all that passes, in order, on both engines; and of nothing once it has been taken off."""

from __future__ import annotations

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.slot import Reply, Slot
from tests.core.reactor_rig import ReactorRig, reactor_rig, route

pytestmark = pytest.mark.usefixtures("each_engine")

POOLED, INLINE, UNKNOWN = 1, 2, 99


class Tapped:
    """Writes down what it hears, with the connection's ID."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.connections: set[str] = set()

    def opened(self, slot: Slot, connection: Connection) -> None:
        assert slot.endpoint is not None
        self.heard.append(("opened", connection.id))

    def received(self, arrived: list[tuple[Slot, Connection, list[Frame]]]) -> None:
        for _, connection, frames in arrived:
            self.connections.add(connection.id)
            self.heard += [("in", frame) for frame in frames]

    def sent(self, slot: Slot, connection: Connection | None, replies: list[Reply]) -> None:
        assert connection is not None
        assert slot.endpoint is not None
        self.connections.add(connection.id)
        self.heard += [("out", reply) for reply in replies]

    def closed(self, connection: Connection, reason: str) -> None:
        self.heard.append(("closed", reason))
        self.connections.add(connection.id)

    def of(self, kind: str) -> list[object]:
        return [what for which, what in self.heard if which == kind]


def tapped(rig: ReactorRig) -> Tapped:
    tap = Tapped()
    rig.core.set_tap(tap)  # type: ignore[arg-type]  # its lists are lists
    return tap


def test_it_hears_of_all_that_passes() -> None:
    routes = [route(POOLED, lambda request: request.body), route(INLINE, lambda request: request.body, "inline")]
    with reactor_rig(*routes) as rig:
        tap = tapped(rig)
        peer = rig.connect()
        sent = [(POOLED, 1, b"a"), (INLINE, 2, b"b"), (POOLED, 3, bytes(10_000)), (0, 4, b"")]
        for message_id, sequence, body in sent:
            peer.send(message_id, body, sequence)
        rig.until(lambda: len(tap.of("out")) == 4)
        peer.abort()
        rig.until(lambda: tap.of("closed"))
    assert tap.of("in") == sent
    assert sorted(tap.of("out"), key=repr) == sorted(sent, key=repr)
    assert [what for what in tap.heard if what[0] in {"opened", "closed"}] == [
        ("opened", *tap.connections),
        ("closed", reasons.PEER_RESET),
    ]
    for frame in sent:  # what was asked comes before what was answered
        assert tap.heard.index(("in", frame)) < tap.heard.index(("out", frame))


def test_pushes_and_error_replies_are_heard_too() -> None:
    def push(request: object) -> None:
        request.connection.send(7, b"push")  # type: ignore[attr-defined]

    with reactor_rig(route(POOLED, push)) as rig:
        tap = tapped(rig)
        peer = rig.connect()
        peer.send(POOLED, b"", 1)
        peer.send(UNKNOWN, b"", 2)
        rig.until(lambda: len(tap.of("out")) == 2)
    found = {reply[:2] for reply in tap.of("out")}  # type: ignore[index]
    assert found == {(7, 0), (0xFFFFFFFF, 2)}


def test_one_that_was_taken_off_hears_nothing() -> None:
    with reactor_rig(route(POOLED, lambda request: request.body)) as rig:
        tap = tapped(rig)
        rig.core.set_tap(None)
        peer = rig.connect()
        peer.send(POOLED, b"a", 1)
        rig.until(lambda: rig.total("messages_out") == 1)
        rig.engine.close_all()
    assert tap.heard == []


def test_what_leaves_with_a_connection_that_moves_is_heard() -> None:
    with reactor_rig(route(POOLED, lambda request: request.body)) as rig:
        peer = rig.connect()
        peer.send(POOLED, b"a", 1)
        rig.until(lambda: rig.total("messages_out") == 1)
        tap = tapped(rig)
        (slot,) = rig.engine.open_slots()
        assert slot.connection is not None
        assert rig.engine.hold(slot)
        rig.until(lambda: rig.engine.freeze(slot))
        assert slot.connection.send(7, b"before the snapshot")
        snapshot = rig.engine._snapshot(slot)  # type: ignore[attr-defined]
        assert slot.connection.send(7, b"after it: the next worker queues it")
        late = rig.engine.seal(slot, snapshot.queued)
        rig.engine.release(slot)
    assert tap.of("out") == [(7, 0, b"before the snapshot")]
    assert late == [(7, 0, b"after it: the next worker queues it")]
