"""Whose a connection is while it leaves a worker, and what becomes of one that does not leave after all."""

from __future__ import annotations

import threading

from tests.core.move_rig import CONCURRENT, ECHO, Move
from tests.core.waiting import wait_until


def test_one_that_has_left_is_the_old_workers_no_more(two: Move) -> None:
    peer, slot = two.connect()
    connection = slot.connection
    assert connection is not None
    two.move(slot)
    assert not connection.is_open
    assert not connection.send(ECHO, b"too late")
    assert not slot.owned
    peer.send(ECHO, b"only once")
    two.get(peer, b"only once")


def test_concurrent_handlers_are_waited_for(two: Move) -> None:
    peer, slot = two.connect()
    two.hang(peer, b"x", CONCURRENT)
    two.begin(slot)
    two.step()
    assert not two.results
    two.story.door.set()
    two.cancel(two.prepared().departing)
    two.get(peer, b"x")


# -- who stays, and loses nothing --------------------------------------------------------------------------


def test_a_session_that_cannot_move_keeps_its_connection(two: Move) -> None:
    peer, slot = two.connect()
    assert slot.connection is not None
    slot.connection.session["lock"] = threading.Lock()
    two.begin(slot)
    assert two.kept().reason.startswith(
        "session['lock'] cannot be carried: it holds _thread.lock; allowed: None, bool,"
    )
    peer.send(ECHO, b"still here")
    two.get(peer, b"still here")


def test_one_that_is_refused_stays_and_loses_nothing(two: Move) -> None:
    peer, slot = two.connect()
    two.hang(peer, b"first")
    peer.send(ECHO, b"second")
    two.until(lambda: two.old.total("messages_in") == 2)
    two.begin(slot)
    two.story.door.set()
    departing = two.prepared().departing
    departing.connection.send(9, b"pushed")
    peer.send(ECHO, b"third")
    two.cancel(departing)
    two.until(lambda: len(peer.bodies()) == 4)
    assert sorted(peer.bodies()) == [b"first", b"pushed", b"second", b"third"]
    assert [body for body in peer.bodies() if body != b"pushed"] == [b"first", b"second", b"third"]
    two.move(slot)
    peer.send(ECHO, b"fourth")
    two.until(lambda: len(peer.bodies()) == 5)


def test_one_that_is_withdrawn_stays(two: Move) -> None:
    peer, slot = two.connect()
    two.hang(peer, b"first")
    peer.send(ECHO, b"second")
    two.begin(slot)
    assert two.old.core.departures.withdraw(slot)
    two.story.door.set()
    two.get(peer, b"first", b"second")
    assert not two.old.core.departures.withdraw(slot)
    assert not two.old.core.departures.step()


def test_hooks_are_told_that_it_stays(hooked: Move) -> None:
    _, slot = hooked.connect()
    hooked.cancel(hooked.prepare(slot).departing)
    hooked.until(lambda: len(hooked.story.told) == 3)
    assert [what for what, _ in hooked.story.told] == ["opened", "handing over", "adopted"]


def test_hooks_are_told_that_it_stays_though_a_handler_runs(hooked: Move) -> None:
    peer, slot = hooked.connect()
    hooked.until(lambda: hooked.story.told)
    departing = hooked.begin(slot)
    hooked.step()
    hooked.until(lambda: len(hooked.story.told) == 2)
    departing.held = False  # as if the hook, or what came before it, still ran
    wait_until(lambda: not slot.owned, hooked.turn)
    hooked.cancel(departing)
    hooked.until(lambda: len(hooked.story.told) == 3)
    assert [what for what, _ in hooked.story.told] == ["opened", "handing over", "adopted"]
    peer.send(ECHO, b"x")
    hooked.get(peer, b"x")


# -- who ends meanwhile ------------------------------------------------------------------------------------


def test_a_client_that_goes_before_is_closed_here(two: Move) -> None:
    peer, slot = two.connect()
    two.hang(peer)
    two.begin(slot)
    two.old.engine.close(slot, "for a reason")
    assert not two.kept().reason
    two.story.door.set()
    two.until(lambda: slot.idle and two.old.quiet)


def test_a_client_that_goes_meanwhile_is_noticed_by_who_has_it(hooked: Move) -> None:
    peer, slot = hooked.connect()
    prepared = hooked.prepare(slot)
    peer.abort()
    hooked.turn()
    adopted = hooked.hand_over(prepared)
    hooked.until(lambda: adopted.connection is None)
    assert hooked.new.total("closed") == 1
    assert hooked.old.total("closed") == 0


def test_a_plugin_that_closes_it_meanwhile_is_obeyed_where_it_stays(two: Move) -> None:
    peer, slot = two.connect()
    departing = two.prepare(slot).departing
    departing.connection.close("enough")
    two.turn()
    assert slot.connection is not None
    assert slot.end_reason == "enough"
    two.cancel(departing)
    two.until(lambda: peer.gone)
