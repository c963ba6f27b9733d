"""The supervisor: who leaves or dies is replaced."""

from __future__ import annotations

import pytest

from commscaffoldd.master.workers import State
from tests.master.fleet_rig import NORMAL, SERVE, FleetRig


def test_a_worker_that_leaves_is_replaced_while_it_finishes(rig: FleetRig) -> None:
    rig.source = "say(event='ready'); channel.readline(); say(event='stopping')" + SERVE
    supervisor = rig.supervise(1, 2)
    old = supervisor.serving[1]
    rig.source = NORMAL
    old.started -= 100  # it has lived long
    old.send({"command": "leave"})
    rig.until(lambda: 1 in supervisor.serving and supervisor.serving[1] is not old)
    assert old in rig.fleet.living
    assert supervisor.restarts.count == 1


def test_a_fork_that_fails_is_tried_again_later(rig: FleetRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commscaffoldd.master.restarts.FIRST_DELAY", 0.05)
    supervisor = rig.supervise(1, 2)
    old = supervisor.serving[2]
    old.started -= 100
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    rig.fleet.quit(old)
    rig.until(lambda: supervisor.vacant)
    assert supervisor.next_in() is not None
    assert "cannot be forked" in supervisor.restarts.last
    rig.until(lambda: 2 in supervisor.serving and supervisor.serving[2].state is State.READY)
    assert supervisor.next_in() is None


def test_held_it_replaces_nobody(rig: FleetRig) -> None:
    supervisor = rig.supervise(1, 2)
    supervisor.hold()
    rig.fleet.quit(supervisor.serving[1])
    rig.until(lambda: len(rig.fleet.living) == 1)
    assert list(supervisor.serving) == [2]
    assert supervisor.vacant == {}
