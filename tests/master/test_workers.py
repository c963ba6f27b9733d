"""The fleet: workers from their start to their end, with programs in their place."""

from __future__ import annotations

import pytest

from commscaffoldd.core.counters import Counters
from commscaffoldd.master.workers import State
from tests.master.fleet_rig import SERVE, FleetRig


def test_from_start_to_end(rig: FleetRig) -> None:
    worker = rig.start()
    assert worker.state is State.STARTING
    rig.until(lambda: rig.observed.ready)
    assert worker.state.value == "ready"
    rig.fleet.retire(worker, 20.0)
    rig.until(lambda: rig.observed.ended)
    assert rig.observed.ended == [f"worker 1 (pid {worker.pid}) has stopped"]
    assert rig.fleet.living == []


def test_a_number_is_never_given_twice(rig: FleetRig) -> None:
    first, second = rig.start(), rig.start()
    assert (first.slot, second.slot) == (1, 1)
    assert (first.number, second.number) == (1, 2)


def test_what_an_ended_worker_counted_stays_in_the_totals(rig: FleetRig) -> None:
    worker = rig.start()
    counters = Counters()
    counters.accepted = 3
    worker.row.publish([counters], {})
    rig.fleet.quit(worker)
    rig.until(lambda: rig.observed.ended)
    assert rig.rows.totals([])["accepted"] == 3


def test_last_words_are_heard_although_the_process_is_gone_already(rig: FleetRig) -> None:
    rig.start("say(event='failed', kind='plugin', errors=['greet.py:3: wrong']); os._exit(3)")
    rig.until(lambda: rig.observed.ended)
    assert "could not start: greet.py:3: wrong" in rig.observed.ended[0]


@pytest.mark.parametrize("words", ["b'nonsense\\n'", "b'[1,2]\\n'", "b'x' * (17 << 20)"])
def test_garbage_on_the_channel_ends_the_worker(rig: FleetRig, words: str) -> None:
    rig.start(f"say(event='ready'); channel_socket.sendall({words}); channel.read(); os._exit(4)")
    rig.until(lambda: rig.observed.ended)
    assert "died: exit code" in rig.observed.ended[0]


def test_an_unknown_event_is_borne(rig: FleetRig, caplog: pytest.LogCaptureFixture) -> None:
    rig.start("say(event='dance'); say(event='ready')" + SERVE)
    rig.until(lambda: rig.observed.ready)
    assert "unknown: 'dance'" in caplog.text


def test_a_worker_that_closes_its_channel_and_lives_is_killed(rig: FleetRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commscaffoldd.master.workers._AFTER_WORD", 0.05)
    rig.start("channel.close(); channel_socket.close(); time.sleep(600)")
    rig.until(lambda: rig.observed.ended)
    assert "signal 9" in rig.observed.ended[0]


def test_a_worker_that_stops_by_itself_is_told_before_it_ends(rig: FleetRig) -> None:
    worker = rig.start("say(event='ready'); say(event='stopping')" + SERVE)
    rig.until(lambda: rig.observed.leaving)
    assert worker.state is State.RETIRING
    assert rig.observed.ended == []


def test_a_worker_that_is_not_ready_in_time_is_killed(rig: FleetRig) -> None:
    rig.limited(start_timeout=0.1)
    rig.start("time.sleep(600)")
    rig.until(lambda: rig.observed.ended)
    assert "was not ready within 0.1 s" in rig.observed.ended[0]
