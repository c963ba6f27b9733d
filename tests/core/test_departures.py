"""Connections move from one worker's core to another's, between the same engines and different ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import msgspec
import pytest

from commscaffoldd.core.departures import Departing, Kept, Prepared
from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.moving import ConnectionState
from commscaffoldd.core.request import Request
from commscaffoldd.core.settings import (
    BusinessSettings,
    ConnectionSettings,
    FloodSettings,
    FrameSettings,
    LoginSettings,
)
from commscaffoldd.core.slot import Slot
from tests.core.peers import Peer
from tests.core.reactor_rig import ReactorRig, reactor_rig, route
from tests.core.waiting import wait_until

ECHO, INLINE, SLOW, CONCURRENT, SESSION = 1, 2, 3, 4, 5
BIG = 20_000_000  # bytes: more than sockets on loopback hold

native_too = pytest.mark.skipif(why_no_native_engine() is not None, reason=str(why_no_native_engine()))
PAIRS = [
    ("python", "python"),
    pytest.param("native", "native", marks=native_too),
    pytest.param("python", "native", marks=native_too),
    pytest.param("native", "python", marks=native_too),
]


class Story:
    """Handlers and hooks, what they saw, and a door that holds slow handlers up."""

    def __init__(self) -> None:
        self.door = threading.Event()
        self.begun = threading.Semaphore(0)
        self.told: list[tuple[str, str]] = []
        self.routes = [
            route(ECHO, lambda request: request.body),
            route(INLINE, lambda request: request.body, "inline"),
            route(SLOW, self.slow),
            route(CONCURRENT, self.slow, "concurrent"),
            route(SESSION, self.session),
        ]

    def slow(self, request: Request) -> bytes:
        self.begun.release()
        self.door.wait(20)
        return request.body

    def session(self, request: Request) -> bytes:
        session = request.connection.session
        session["number"] = session.get("number", 0) + 1
        return b"%d" % session["number"]

    def hook(self, name: str) -> Any:
        return lambda call: self.told.append((name, call.connection.id))


class Move:
    """Two workers' cores; what moves goes through bytes, as it does between processes."""

    def __init__(self, story: Story, old: ReactorRig, new: ReactorRig) -> None:
        self.story = story
        self.old = old
        self.new = new
        self.results: list[Prepared | Kept] = []
        self.fds: list[int] = []

    def turn(self) -> None:
        self.old.turn()
        self.new.turn()

    def until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, self.turn)

    def result(self) -> Prepared | Kept:
        """What becomes of the one connection that is leaving."""
        wait_until(lambda: self.results, self.step)
        return self.results.pop()

    def connect(self) -> tuple[Peer, Slot]:
        peer, before = self.old.connect(), self.old.total("accepted")
        self.old.until(lambda: self.old.total("accepted") > before)
        return peer, self.old.engine.open_slots()[-1]

    def begin(self, slot: Slot) -> Departing:
        departing = self.old.core.departures.begin(slot)
        assert departing is not None
        return departing

    def step(self) -> None:
        self.turn()
        self.results += self.old.core.departures.step()

    def prepare(self, slot: Slot) -> Prepared:
        """Begin, and turn until it is ready."""
        self.begin(slot)
        prepared = self.result()
        assert isinstance(prepared, Prepared)
        return prepared

    def adopt(self, prepared: Prepared) -> Slot:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(prepared.state), type=ConnectionState)
        endpoint = self.new.core.reactor._engine._acceptor._by_fd  # type: ignore[attr-defined]
        (listener,) = endpoint.values()
        return self.new.reactor.adopt(os.dup(prepared.fd), listener.endpoint, state)

    def move(self, slot: Slot) -> Slot:
        """All of it."""
        prepared = self.prepare(slot)
        adopted = self.adopt(prepared)
        for reply in self.old.core.departures.confirm(prepared.departing):
            adopted.queue(adopted.generation, reply)
        self.new.engine.flush_soon(adopted)
        return adopted

    def get(self, peer: Peer, *bodies: bytes) -> None:
        """These are the replies, no more, no less, in this order."""
        wanted = list(bodies)
        self.until(lambda: len(peer.bodies()) >= len(wanted))
        assert peer.bodies() == wanted
        assert not peer.gone


@contextmanager
def move(
    old: str,
    new: str,
    layout: str = "standard",
    connections: ConnectionSettings | None = None,
    *,
    hooks: bool = False,
    flood: FloodSettings | None = None,
    login: LoginSettings | None = None,
) -> Iterator[Move]:
    story = Story()
    with ExitStack() as stack:
        rigs = []
        for engine in (old, new):
            with mock.patch.dict(os.environ, {VARIABLE: engine}):
                rig = reactor_rig(
                    *story.routes,
                    layout=PRESETS[layout],
                    frame=FrameSettings(max_body=10_000_000),
                    connections=connections or ConnectionSettings(initial=2),
                    business=BusinessSettings(threads=4),
                    flood=flood,
                    login=login,
                    opened=story.hook("opened") if hooks else None,
                    closed=story.hook("closed") if hooks else None,
                    handing_over=story.hook("handing over") if hooks else None,
                    adopted=story.hook("adopted") if hooks else None,
                )
                rigs.append(stack.enter_context(rig))
        stack.callback(story.door.set)
        yield Move(story, *rigs)


pytestmark = pytest.mark.parametrize(("old", "new"), PAIRS)


def test_an_idle_connection_moves(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(ECHO, b"one")
        two.get(peer, b"one")
        assert slot.connection is not None
        before, opened_at = slot.connection.id, slot.opened_at

        adopted = two.move(slot)

        assert adopted.connection is not None
        assert adopted.connection.id == before
        assert adopted.opened_at == opened_at
        assert adopted.connection.peer.startswith("127.0.0.1:")
        assert (adopted.messages_in, adopted.messages_out) == (1, 1)
        peer.send(ECHO, b"two")
        peer.send(INLINE, b"three")
        two.get(peer, b"one", b"two", b"three")
        assert not two.old.engine.open_slots()
        assert two.old.total("handed_over") == two.new.total("adopted") == 1
        assert two.old.total("closed") == 0


def test_who_has_logged_in_travels_and_so_does_the_deadline(old: str, new: str) -> None:
    with move(old, new, login=LoginSettings(timeout=0.5)) as two:
        known, slot = two.connect()
        stranger, other = two.connect()
        assert slot.connection is not None
        assert other.connection is not None
        slot.connection.authenticate(("ann", 7))
        since = other.connection.login_since
        assert since == other.opened_at

        moved, waiting = two.move(slot), two.move(other)

        assert moved.connection is not None
        assert waiting.connection is not None
        assert (moved.connection.user, waiting.connection.user) == (("ann", 7), None)
        assert waiting.connection.login_since == since  # it does not begin anew
        two.until(lambda: stranger.gone)
        assert two.new.total("login_timeouts") == 1
        known.send(ECHO, b"still here")
        two.get(known, b"still here")


def test_who_stays_after_all_must_still_log_in(old: str, new: str) -> None:
    with move(old, new, login=LoginSettings(timeout=0.3)) as two:
        peer, slot = two.connect()
        two.old.core.departures.cancel(two.prepare(slot).departing)
        two.until(lambda: peer.gone)
        assert two.old.total("login_timeouts") == 1


def test_who_comes_from_where_no_login_was_needed_has_the_whole_time(old: str, new: str) -> None:
    with move(old, new, login=LoginSettings(timeout=30.0)) as two:
        _, slot = two.connect()
        prepared = two.prepare(slot)
        prepared.state.opened_at -= 1000
        fields = msgspec.to_builtins(prepared.state)
        del fields["user"], fields["login_since"]  # so does an older version send it
        prepared.state = msgspec.convert(fields, ConnectionState)

        connection = two.adopt(prepared).connection
        two.old.core.departures.confirm(prepared.departing)

        assert connection is not None
        assert connection.login_since > slot.opened_at
        assert not connection.authenticated


def test_it_is_the_old_workers_no_more(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        connection = slot.connection
        assert connection is not None
        two.move(slot)
        assert not connection.is_open
        assert not connection.send(ECHO, b"too late")
        assert not slot.owned
        peer.send(ECHO, b"only once")
        two.get(peer, b"only once")


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 4095, 4096, 4097, 200_000, 799_999])
def test_half_a_frame_moves(old: str, new: str, cut: int) -> None:
    body = os.urandom(800_000)
    with move(old, new) as two:
        peer, slot = two.connect()
        frame = peer.encode(ECHO, body)
        peer.sock.setblocking(True)
        peer.sock.sendall(frame[:cut])
        peer.sock.setblocking(False)
        two.until(lambda: two.old.total("bytes_in") == cut)
        two.move(slot)
        rest = memoryview(frame)[cut:]
        while rest:
            rest = rest[peer.send_some(bytes(rest[:65536])) :]
            two.turn()
        two.get(peer, body)


def test_messages_that_wait_move_in_their_order(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(SLOW, b"first")
        two.until(lambda: two.story.begun.acquire(blocking=False))
        for number in range(20):
            peer.send(INLINE if number % 3 else ECHO, b"%d" % number)
        two.until(lambda: two.old.total("messages_in") == 21)
        two.begin(slot)
        two.step()
        assert not two.results  # the handler runs: it is waited for
        two.story.door.set()
        prepared = two.result()
        assert isinstance(prepared, Prepared)
        assert len(prepared.state.messages) == 20
        two.adopt(prepared)
        two.old.core.departures.confirm(prepared.departing)
        two.get(peer, b"first", *(b"%d" % number for number in range(20)))
        assert two.old.backlog.depth == 0
        two.until(lambda: two.new.backlog.depth == 0)


def test_concurrent_handlers_are_waited_for(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(CONCURRENT, b"x")
        two.until(lambda: two.story.begun.acquire(blocking=False))
        two.begin(slot)
        two.step()
        assert not two.results
        two.story.door.set()
        prepared = two.result()
        assert isinstance(prepared, Prepared)
        two.old.core.departures.cancel(prepared.departing)
        two.get(peer, b"x")


def test_what_the_client_has_not_read_moves(old: str, new: str) -> None:
    body = os.urandom(BIG)
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(ECHO, body[:100])
        two.get(peer, body[:100])
        slot.queue(slot.generation, (ECHO, 0, body))
        two.old.engine.flush_soon(slot)
        two.until(lambda: slot.blocked)
        for number in range(3):
            peer.send(ECHO, b"%d" % number)  # not handled before the client reads: parked
        two.turn()
        adopted = two.move(slot)
        assert adopted.unsent > 1_000_000
        two.get(peer, body[:100], body, b"0", b"1", b"2")


def test_what_is_pushed_meanwhile_is_not_lost(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        prepared = two.prepare(slot)
        connection = prepared.departing.connection
        assert connection.send(9, b"late")
        adopted = two.adopt(prepared)
        late = two.old.core.departures.confirm(prepared.departing)
        assert late == [(9, 0, b"late")]
        assert not connection.send(9, b"too late")
        for reply in late:
            adopted.queue(adopted.generation, reply)
        two.new.engine.flush_soon(adopted)
        two.get(peer, b"late")


def test_a_session_moves(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(SESSION)
        two.get(peer, b"1")
        adopted = two.move(slot)
        assert adopted.connection is not None
        assert adopted.connection.session == {"number": 1}
        peer.send(SESSION)
        two.get(peer, b"1", b"2")


def test_a_session_that_cannot_move_keeps_its_connection(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        assert slot.connection is not None
        slot.connection.session["lock"] = threading.Lock()
        two.begin(slot)
        kept = two.result()
        assert isinstance(kept, Kept)
        assert kept.reason.startswith(
            "session['lock'] cannot be carried: it holds _thread.lock; allowed: None, bool,"
        )
        peer.send(ECHO, b"still here")
        two.get(peer, b"still here")


def test_one_that_is_refused_stays_and_loses_nothing(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(SLOW, b"first")
        two.until(lambda: two.story.begun.acquire(blocking=False))
        peer.send(ECHO, b"second")
        two.until(lambda: two.old.total("messages_in") == 2)
        two.begin(slot)
        two.story.door.set()
        prepared = two.result()
        assert isinstance(prepared, Prepared)
        prepared.departing.connection.send(9, b"pushed")
        peer.send(ECHO, b"third")
        two.old.core.departures.cancel(prepared.departing)
        two.until(lambda: len(peer.bodies()) == 4)
        assert sorted(peer.bodies()) == [b"first", b"pushed", b"second", b"third"]
        assert [body for body in peer.bodies() if body != b"pushed"] == [b"first", b"second", b"third"]
        two.move(slot)
        peer.send(ECHO, b"fourth")
        two.until(lambda: len(peer.bodies()) == 5)


def test_one_that_is_withdrawn_stays(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(SLOW, b"first")
        two.until(lambda: two.story.begun.acquire(blocking=False))
        peer.send(ECHO, b"second")
        two.begin(slot)
        assert two.old.core.departures.withdraw(slot)
        two.story.door.set()
        two.get(peer, b"first", b"second")
        assert not two.old.core.departures.withdraw(slot)
        assert not two.old.core.departures.step()


def test_hooks_are_told_in_order(old: str, new: str) -> None:
    with move(old, new, hooks=True) as two:
        peer, slot = two.connect()
        assert slot.connection is not None
        name = slot.connection.id
        two.move(slot)
        peer.send(ECHO, b"x")
        two.get(peer, b"x")
        peer.sock.close()
        two.until(lambda: len(two.story.told) == 4)
        assert two.story.told == [(what, name) for what in ("opened", "handing over", "adopted", "closed")]


def test_hooks_are_told_that_it_stays(old: str, new: str) -> None:
    with move(old, new, hooks=True) as two:
        _, slot = two.connect()
        prepared = two.prepare(slot)
        two.old.core.departures.cancel(prepared.departing)
        two.until(lambda: len(two.story.told) == 3)
        assert [what for what, _ in two.story.told] == ["opened", "handing over", "adopted"]


def test_hooks_are_told_that_it_stays_though_a_handler_runs(old: str, new: str) -> None:
    with move(old, new, hooks=True) as two:
        peer, slot = two.connect()
        two.until(lambda: two.story.told)
        departing = two.begin(slot)
        two.step()
        two.until(lambda: len(two.story.told) == 2)
        departing.held = False  # as if the hook, or what came before it, still ran
        wait_until(lambda: not slot.owned, two.turn)
        two.old.core.departures.cancel(departing)
        two.until(lambda: len(two.story.told) == 3)
        assert [what for what, _ in two.story.told] == ["opened", "handing over", "adopted"]
        peer.send(ECHO, b"x")
        two.get(peer, b"x")


def test_time_in_which_it_was_not_listened_to_is_no_silence(old: str, new: str) -> None:
    with move(old, new) as two:
        _, slot = two.connect()
        before = slot.last_seen
        departing = two.begin(slot)
        departing.since -= 50.0  # a handler has run for so long
        prepared = two.result()
        assert isinstance(prepared, Prepared)
        assert prepared.state.last_seen >= before + 50.0
        two.old.core.departures.cancel(departing)


def test_replies_that_travel_are_counted_once(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        slot.queue(slot.generation, (ECHO, 0, b"waits in the outbox"))
        adopted = two.move(slot)
        two.get(peer, b"waits in the outbox")
        two.until(lambda: two.old.total("messages_out") + two.new.total("messages_out") == 1)
        assert adopted.messages_out == 1


def test_a_client_that_goes_meanwhile_is_noticed_by_who_has_it(old: str, new: str) -> None:
    with move(old, new, hooks=True) as two:
        peer, slot = two.connect()
        prepared = two.prepare(slot)
        peer.abort()
        two.turn()
        adopted = two.adopt(prepared)
        two.old.core.departures.confirm(prepared.departing)
        two.until(lambda: adopted.connection is None)
        assert two.new.total("closed") == 1
        assert two.old.total("closed") == 0


def test_a_client_that_goes_before_is_closed_here(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        peer.send(SLOW)
        two.until(lambda: two.story.begun.acquire(blocking=False))
        two.begin(slot)
        two.old.engine.close(slot, "for a reason")
        kept = two.result()
        assert isinstance(kept, Kept)
        assert not kept.reason
        two.story.door.set()
        two.until(lambda: slot.idle and two.old.quiet)


def test_a_plugin_that_closes_it_meanwhile_is_obeyed_where_it_stays(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        prepared = two.prepare(slot)
        prepared.departing.connection.close("enough")
        two.turn()
        assert slot.connection is not None
        assert slot.end_reason == "enough"
        two.old.core.departures.cancel(prepared.departing)
        two.until(lambda: peer.gone)


def test_a_client_that_has_shut_its_side_meanwhile_gets_all_its_replies(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        prepared = two.prepare(slot)
        for number in range(5):
            peer.send(ECHO, b"%d" % number)
        peer.half_close()
        adopted = two.adopt(prepared)
        two.old.core.departures.confirm(prepared.departing)
        two.until(lambda: peer.gone)
        assert peer.bodies() == [b"%d" % number for number in range(5)]
        two.until(lambda: adopted.connection is None)
        assert not peer.reset


def test_the_flood_gate_goes_on_counting(old: str, new: str) -> None:
    with move(old, new, flood=FloodSettings(rate=0.001, burst=10)) as two:
        peer, slot = two.connect()
        for _ in range(6):
            peer.send(ECHO, b"x")
        two.get(peer, *[b"x"] * 6)
        two.move(slot)
        for _ in range(5):
            peer.send(ECHO, b"x")
        two.until(lambda: peer.gone)
        assert two.new.total("floods") == 1


@pytest.mark.parametrize("layout", ["compact", "zinx-ltv", "erlang"])
def test_every_layout_moves(old: str, new: str, layout: str) -> None:
    with move(old, new, layout) as two:
        peer, slot = two.connect()
        frame = peer.encode(ECHO, b"hello")
        peer.sock.sendall(frame + frame[:5])
        two.get(peer, b"hello")
        two.move(slot)
        peer.sock.sendall(frame[5:])
        two.get(peer, b"hello", b"hello")


def test_it_can_move_again(old: str, new: str) -> None:
    with move(old, new) as two:
        peer, slot = two.connect()
        bodies = []
        for number in range(6):
            body = b"%d" % number
            bodies.append(body)
            peer.send(ECHO, body)
            two.get(peer, *bodies)
            slot = two.move(slot)
            two.old, two.new = two.new, two.old
