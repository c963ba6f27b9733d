"""Workers whose business threads all hang, and who takes their place."""

from __future__ import annotations

import pytest

from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import State, Worker
from tests.master.fleet_rig import FleetRig

TELLS = """
say(event='ready')
for line in channel:
    command = json.loads(line)
    if command["command"] == "inherit":
        say(event='quarantine', quarantined=command["quarantined"])
    if command["command"] in ("stop", "quit"):
        os._exit(0)
"""


def hung_in_slot_1(rig: FleetRig, successor: str) -> tuple[Supervisor, Worker]:
    """A worker in charge that has said that it hangs; who comes next is made of this source."""
    supervisor = rig.supervise(1)
    worker = supervisor.serving[1]
    worker.quarantined = [{"id": 7, "reason": "hung", "span": 2.0}]
    rig.source = successor
    rig.fleet.heard(worker, {"event": "hung", "what": "all its business threads"})
    return supervisor, worker


def test_a_worker_that_hangs_stays_until_its_successor_is_ready_and_then_retires(rig: FleetRig) -> None:
    supervisor, old = hung_in_slot_1(rig, "channel.readline() if False else time.sleep(0.1)\n" + TELLS)
    assert supervisor.serving == {1: old}
    assert len(rig.fleet.living) == 2
    rig.until(lambda: supervisor.serving[1] is not old)
    new = supervisor.serving[1]
    assert (new.slot, new.state, old.state) == (1, State.READY, State.RETIRING)
    assert "hung handlers hold all its business threads" in supervisor.restarts.last
    rig.until(lambda: new.quarantined == old.quarantined)
    rig.until(lambda: rig.fleet.living == [new])
    assert supervisor.serving == {1: new}


def test_it_is_not_replaced_again_and_again(rig: FleetRig, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, old = hung_in_slot_1(rig, TELLS)
    rig.fleet.heard(old, {"event": "hung", "what": "all its business threads"})
    assert len(rig.fleet.living) == 2
    rig.until(lambda: supervisor.serving[1] is not old)
    rig.fleet.heard(supervisor.serving[1], {"event": "hung", "what": "all its business threads"})
    assert not supervisor._successions
    rig.until(lambda: len(rig.fleet.living) == 1)
    monkeypatch.setattr("commscaffoldd.master.supervisor.REPLACE_AGAIN", 0.0)
    rig.fleet.heard(supervisor.serving[1], {"event": "hung", "what": "all its business threads"})
    assert len(rig.fleet.living) == 2


def test_held_it_puts_no_successor_in_charge(rig: FleetRig) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.1)\n" + TELLS)
    supervisor.hold()
    rig.until(lambda: all(worker.got_ready for worker in rig.fleet.living))
    assert supervisor.serving == {1: old}
    assert old.state is State.READY


def test_a_successor_that_cannot_start_changes_nothing(rig: FleetRig, caplog: pytest.LogCaptureFixture) -> None:
    supervisor, old = hung_in_slot_1(rig, "say(event='failed', kind='plugin', errors=['no']); os._exit(3)")
    rig.until(lambda: len(rig.fleet.living) == 1)
    assert supervisor.serving == {1: old}
    assert old.state is State.READY
    assert f"it cannot replace {old}" in caplog.text


def test_a_successor_that_cannot_be_forked_changes_nothing(rig: FleetRig) -> None:
    rig.failing = []
    supervisor, old = hung_in_slot_1(rig, TELLS)
    rig.until(lambda: supervisor.serving[1] is not old)
    new = supervisor.serving[1]
    supervisor._hung_at.clear()
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    rig.fleet.heard(new, {"event": "hung", "what": "all its business threads"})
    assert supervisor.serving == {1: new}


def test_a_worker_that_dies_before_its_successor_is_ready_leaves_it_the_place(rig: FleetRig) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.3)\n" + TELLS)
    rig.children.kill(old.pid, 9)
    rig.until(lambda: supervisor.serving.get(1, old) is not old)
    new = supervisor.serving[1]
    assert new.got_ready
    assert rig.fleet.living == [new]
    rig.until(lambda: new.quarantined)


@pytest.mark.parametrize("what", ["adopt", "shrink"])
def test_what_comes_meanwhile_does_not_leave_the_successor_behind(rig: FleetRig, what: str) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.3)\n" + TELLS)
    if what == "adopt":
        for worker in supervisor.adopt(rig.generation, ()):
            rig.fleet.retire(worker, 0.0)
    else:
        supervisor.serving[0] = old  # so that there is one slot more
        supervisor.shrink()
    assert not supervisor._successions
    rig.until(lambda: not rig.fleet.living)
