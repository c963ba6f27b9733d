"""Deferred messages and connections that move: whatever comes first, each message has its one answer, in order."""

from __future__ import annotations

import random
import threading

import pytest

from commscaffoldd.core.departures import Departing, Prepared
from commscaffoldd.core.slot import Slot
from tests.core.move_rig import ECHO, INLINE, LATER, LATER_CONCURRENT, LATER_INLINE, Move
from tests.core.peers import Peer

IN_ORDER = (ECHO, INLINE, LATER, LATER_INLINE)
CLIENTS, MESSAGES = 6, 40


@pytest.mark.parametrize("message_id", [LATER, LATER_INLINE, LATER_CONCURRENT])
def test_it_leaves_once_it_is_answered(two: Move, message_id: int) -> None:
    peer, slot = two.connect()
    peer.send(message_id, b"x", 1)
    peer.send(ECHO, b"behind", 2)
    two.until(lambda: two.story.open)
    two.begin(slot)
    for _ in range(5):
        two.step()
    assert not two.results
    two.story.open.pop().reply(b"answer")
    two.hand_over(two.prepared())
    two.until(lambda: len(peer.bodies()) == 2)
    assert sorted(peer.bodies()) == [b"answer", b"behind"]
    assert two.old.backlog.depth == two.new.backlog.depth == 0


def test_one_that_is_answered_after_its_client_has_gone_does_nothing_to_the_slots_next_client(two: Move) -> None:
    peer, slot = two.connect()
    peer.send(LATER, b"x", 1)
    two.until(lambda: two.story.open)
    two.begin(slot)
    peer.abort()
    two.until(lambda: slot.connection is None)
    two.step()
    assert [result.departing.slot for result in two.results] == [slot]
    (deferred,) = two.story.open
    assert deferred.reply(b"late")
    two.until(lambda: not two.old.backlog.depth)
    assert slot.idle


class Fate:
    """What happens in the meantime: answers, by this thread and others, connections that leave, or not after all."""

    def __init__(self, two: Move, seed: int) -> None:
        self._two = two
        self._random = random.Random(seed)  # a test's
        self._helpers: list[threading.Thread] = []
        self._leaving: list[Departing] = []
        self._frozen: list[Prepared] = []

    def answer_some(self, share: float) -> None:
        opened = self._two.story.open
        for _ in range(len(opened)):
            one = opened.pop(0)
            if self._random.random() > share:
                opened.append(one)
            elif self._random.random() < 0.5:  # as often as not
                one.reply(one.request.body)
            else:
                self._helpers.append(threading.Thread(target=one.reply, args=(one.request.body,)))
                self._helpers[-1].start()

    def move_some(self, slots: list[Slot]) -> None:
        departures = self._two.old.core.departures
        for slot in slots:
            if self._random.random() < 0.2 and not slot.leaving and slot.connection is not None:
                departures.begin(slot)
            elif self._random.random() < 0.1:
                departures.withdraw(slot)
        self._frozen += [one for one in departures.step() if isinstance(one, Prepared)]
        for prepared in self._frozen[:]:
            chance = self._random.random()
            if chance < 0.3:
                departures.cancel(prepared.departing)
            elif chance < 0.5:
                self._two.hand_over(prepared)
            else:
                continue
            self._frozen.remove(prepared)

    def end(self) -> None:
        for helper in self._helpers:
            helper.join()
        for prepared in self._frozen:
            self._two.old.core.departures.cancel(prepared.departing)


@pytest.mark.parametrize("seed", range(4))
def test_answers_and_departures_at_any_moment(two: Move, seed: int) -> None:
    fate, chance = Fate(two, seed), random.Random(seed)  # a test's
    clients: list[tuple[Peer, Slot]] = [two.connect() for _ in range(CLIENTS)]
    sent = {peer: [chance.choice([*IN_ORDER, LATER_CONCURRENT]) for _ in range(MESSAGES)] for peer, _ in clients}
    for number in range(MESSAGES):
        for peer, _ in clients:
            peer.send(sent[peer][number], b"%d" % number, number + 1)
        fate.answer_some(0.3)
        fate.move_some([slot for _, slot in clients])
        two.turn()

    def go_on() -> bool:
        fate.answer_some(0.5)
        fate.move_some([slot for _, slot in clients])
        return all(len(peer.bodies()) == MESSAGES for peer, _ in clients)

    two.until(go_on)
    fate.end()
    two.until(lambda: not two.old.backlog.depth and not two.new.backlog.depth)
    for peer, ids in sent.items():
        assert sorted(sequence for _, sequence, _ in peer.frames) == list(range(1, MESSAGES + 1))
        in_order = [sequence for message_id, sequence, _ in peer.frames if message_id in IN_ORDER]
        assert in_order == [number + 1 for number in range(MESSAGES) if ids[number] in IN_ORDER]
    for rig in (two.old, two.new):
        assert not rig.engine.deferrals.suspended()
        assert not rig.engine.deferrals.done
