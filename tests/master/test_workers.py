"""The fleet, a batch and the supervisor, with programs in the place of workers."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.config.schema import Config, Daemon
from commscaffoldd.core.counters import Counters, Statistics, StatisticsRow
from commscaffoldd.log import open_log
from commscaffoldd.master.batch import Batch, BatchResult
from commscaffoldd.master.children import Children
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.listeners import ListenerSet
from commscaffoldd.master.questions import Answers, Questions
from commscaffoldd.master.rows import Rows
from commscaffoldd.master.supervisor import Supervisor
from commscaffoldd.master.workers import Fleet, State, Worker

PROLOGUE = """
import json, os, socket, sys, time
channel_socket = socket.socket(fileno=int(sys.argv[1]))
channel = channel_socket.makefile("rb")
def say(**message):
    channel_socket.sendall(json.dumps(message).encode() + b"\\n")
"""
SERVE = """
for line in channel:
    command = json.loads(line)
    if command["command"] in ("stop", "quit"):
        os._exit(0)
    if command["command"] == "routes":
        say(event="answer", request=command["request"], routes=[command["request"]])
    if command["command"] == "connections":
        say(event="answer", request=command["request"], error="no idea")
"""
NORMAL = "say(event='ready')" + SERVE


@dataclasses.dataclass
class Observed:
    """Hears what becomes of its workers."""

    ready: list[Worker] = dataclasses.field(default_factory=list)
    leaving: list[Worker] = dataclasses.field(default_factory=list)
    ended: list[str] = dataclasses.field(default_factory=list)
    hung: list[Worker] = dataclasses.field(default_factory=list)

    def worker_ready(self, worker: Worker) -> None:
        self.ready.append(worker)

    def worker_leaving(self, worker: Worker) -> None:
        self.leaving.append(worker)

    def worker_hung(self, worker: Worker) -> None:
        self.hung.append(worker)

    def worker_ended(self, _worker: Worker, reason: str) -> None:
        self.ended.append(reason)


class Rig:
    """A fleet whose workers run `source`."""

    def __init__(self, loop: Any, folder: Path) -> None:
        self.loop = loop
        self.source = NORMAL
        self.slots: list[int] = []
        self.failing: list[OSError] = []
        self.children = Children()
        self.questions = Questions(loop)
        self.rows = Rows(Statistics(8))
        self.observed = Observed()
        self.supervisor: Supervisor | None = None
        daemon = Daemon(workers=2, run_dir=str(folder), start_timeout=20.0, stop_timeout=20.0)
        config = Config(path=folder / "c.toml", daemon=daemon)
        self.generation = Generation(1, config, open_log(None, "info", "text"), ListenerSet(()))
        self.fleet = Fleet(
            loop=loop,
            children=self.children,
            rows=self.rows,
            spawn=self.spawn,
            answered=self.questions.answered,
            handing_over=lambda _worker, _message: None,
            born=lambda _: None,
            gone=self.questions.gone,
        )

    def spawn(
        self, _generation: Generation, _number: int, slot: int, _row: StatisticsRow
    ) -> tuple[int, socket.socket, socket.socket]:
        self.slots.append(slot)
        if self.failing:
            raise self.failing.pop()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-S", "-c", PROLOGUE + self.source, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        process.returncode = 0  # the fleet reaps it
        theirs.close()
        orders, unused = socket.socketpair()
        unused.close()
        return process.pid, ours, orders

    def start(self, source: str = NORMAL) -> Worker:
        self.source = source
        return self.fleet.start(self.generation, 1, self.observed)

    def limited(self, **times: float) -> None:
        config = self.generation.config
        daemon = Daemon(**{"run_dir": config.daemon.run_dir, "workers": 2, **times})  # type: ignore[arg-type]
        config = Config(path=config.path, daemon=daemon)
        self.generation = dataclasses.replace(self.generation, config=config)

    def until(self, condition: Any) -> None:
        def reaped() -> Any:
            self.children.reap()
            return condition()

        self.loop.until(reaped)


@pytest.fixture
def rig(loop: Any, folder: Path) -> Iterator[Rig]:
    made = Rig(loop, folder)
    yield made
    if made.supervisor is not None:
        made.supervisor.hold()  # else it replaces those that end now
    for worker in made.fleet.living:
        made.fleet.quit(worker)
    made.until(lambda: not made.fleet.living)


def test_from_start_to_end(rig: Rig) -> None:
    worker = rig.start()
    assert worker.state is State.STARTING
    rig.until(lambda: rig.observed.ready)
    assert worker.state.value == "ready"
    rig.fleet.retire(worker, 20.0)
    rig.until(lambda: rig.observed.ended)
    assert rig.observed.ended == [f"worker 1 (pid {worker.pid}) has stopped"]
    assert rig.fleet.living == []


def test_a_number_is_never_given_twice(rig: Rig) -> None:
    first, second = rig.start(), rig.start()
    assert (first.slot, second.slot) == (1, 1)
    assert (first.number, second.number) == (1, 2)


def test_what_an_ended_worker_counted_stays_in_the_totals(rig: Rig) -> None:
    worker = rig.start()
    counters = Counters()
    counters.accepted = 3
    worker.row.publish([counters], {})
    rig.fleet.quit(worker)
    rig.until(lambda: rig.observed.ended)
    assert rig.rows.totals([])["accepted"] == 3


def test_last_words_are_heard_although_the_process_is_gone_already(rig: Rig) -> None:
    rig.start("say(event='failed', kind='plugin', errors=['greet.py:3: wrong']); os._exit(3)")
    rig.until(lambda: rig.observed.ended)
    assert "could not start: greet.py:3: wrong" in rig.observed.ended[0]


@pytest.mark.parametrize("words", ["b'nonsense\\n'", "b'[1,2]\\n'", "b'x' * (17 << 20)"])
def test_garbage_on_the_channel_ends_the_worker(rig: Rig, words: str) -> None:
    rig.start(f"say(event='ready'); channel_socket.sendall({words}); channel.read(); os._exit(4)")
    rig.until(lambda: rig.observed.ended)
    assert "died: exit code" in rig.observed.ended[0]


def test_an_unknown_event_is_borne(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.start("say(event='dance'); say(event='ready')" + SERVE)
    rig.until(lambda: rig.observed.ready)
    assert "unknown: 'dance'" in caplog.text


def test_a_worker_that_closes_its_channel_and_lives_is_killed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commscaffoldd.master.workers._AFTER_WORD", 0.05)
    rig.start("channel.close(); channel_socket.close(); time.sleep(600)")
    rig.until(lambda: rig.observed.ended)
    assert "signal 9" in rig.observed.ended[0]


def test_a_worker_that_stops_by_itself_is_told_before_it_ends(rig: Rig) -> None:
    worker = rig.start("say(event='ready'); say(event='stopping')" + SERVE)
    rig.until(lambda: rig.observed.leaving)
    assert worker.state is State.RETIRING
    assert rig.observed.ended == []


def test_a_batch_is_done_when_all_are_ready(rig: Rig) -> None:
    results: list[BatchResult] = []
    progress: list[str] = []
    Batch(rig.fleet, rig.generation, (1, 2), progress.append, results.append).start()
    rig.until(lambda: results)
    assert [worker.slot for worker in results[0].workers] == [1, 2]
    assert progress == ["1 of 2 workers are ready", "2 of 2 workers are ready"]


def test_a_batch_that_fails_leaves_nobody(rig: Rig) -> None:
    results: list[BatchResult] = []
    rig.source = "say(event='failed', kind='plugin', errors=['one', 'two']); os._exit(3)"
    Batch(rig.fleet, rig.generation, (1, 2, 3), print, results.append).start()
    rig.until(lambda: results)
    assert results == [BatchResult((), ("one", "two"), 78)]
    assert rig.fleet.living == []


def test_a_batch_that_cannot_fork_leaves_nobody(rig: Rig) -> None:
    results: list[BatchResult] = []
    batch = Batch(rig.fleet, rig.generation, (1, 2), print, results.append)
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    batch.start()
    assert results[0].errors == ("worker 1 cannot be forked: Resource temporarily unavailable",)
    batch.abort("too late")
    assert len(results) == 1


def test_rows_that_run_out_fail_the_batch_with_the_reason(rig: Rig) -> None:
    results: list[BatchResult] = []
    Batch(rig.fleet, rig.generation, range(1, 10), print, results.append).start()
    rig.until(lambda: results)
    assert "all 8 rows of the statistics are in use" in results[0].errors[0]


def make_supervisor(rig: Rig) -> Supervisor:
    """One whose workers retire without handing anything over."""

    def retire(workers: Sequence[Worker]) -> None:
        for worker in workers:
            rig.fleet.retire(worker, rig.generation.config.daemon.stop_timeout)

    rig.supervisor = Supervisor(rig.loop, rig.fleet, rig.generation, lambda: None, retire)
    return rig.supervisor


def supervised(rig: Rig) -> Supervisor:
    supervisor = make_supervisor(rig)
    results: list[BatchResult] = []
    Batch(rig.fleet, rig.generation, (1, 2), lambda _text: None, results.append).start()
    rig.until(lambda: results)
    supervisor.adopt(rig.generation, results[0].workers)
    return supervisor


def test_a_worker_that_leaves_is_replaced_while_it_finishes(rig: Rig) -> None:
    rig.source = "say(event='ready'); channel.readline(); say(event='stopping')" + SERVE
    supervisor = supervised(rig)
    old = supervisor.serving[1]
    rig.source = NORMAL
    old.started -= 100  # it has lived long
    old.send({"command": "leave"})
    rig.until(lambda: 1 in supervisor.serving and supervisor.serving[1] is not old)
    assert old in rig.fleet.living
    assert supervisor.restarts.count == 1


def test_a_fork_that_fails_is_tried_again_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commscaffoldd.master.restarts.FIRST_DELAY", 0.05)
    supervisor = supervised(rig)
    old = supervisor.serving[2]
    old.started -= 100
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    rig.fleet.quit(old)
    rig.until(lambda: supervisor.vacant)
    assert supervisor.next_in() is not None
    assert "cannot be forked" in supervisor.restarts.last
    rig.until(lambda: 2 in supervisor.serving and supervisor.serving[2].state is State.READY)
    assert supervisor.next_in() is None


def test_held_it_replaces_nobody(rig: Rig) -> None:
    supervisor = supervised(rig)
    supervisor.hold()
    rig.fleet.quit(supervisor.serving[1])
    rig.until(lambda: len(rig.fleet.living) == 1)
    assert list(supervisor.serving) == [2]
    assert supervisor.vacant == {}


def ask(rig: Rig, workers: list[Worker], command: str, timeout: float = 20.0) -> Answers:
    got: list[Answers] = []
    rig.questions.ask(workers, command, timeout, got.append)
    rig.until(lambda: got)
    return got[0]


def test_questions_gather_answers_and_errors(rig: Rig) -> None:
    first, second = rig.start(), rig.start()
    answers = ask(rig, [first, second], "routes")
    assert {worker.number for worker, _ in answers.answered} == {1, 2}
    assert ask(rig, [first], "connections").errors == [f"{first}: no idea"]
    assert ask(rig, [], "routes").answered == []


def test_a_question_does_not_wait_for_who_is_gone_or_silent(rig: Rig) -> None:
    silent = rig.start("say(event='ready'); time.sleep(600)")
    assert ask(rig, [silent], "routes", 0.05).errors == [f"{silent} did not answer within 0.05 s"]
    dying = rig.start("channel.readline(); os._exit(1)")
    assert ask(rig, [dying], "routes").errors == [f"{dying} ended before it answered"]


def test_an_answer_that_is_late_or_wrong_is_forgotten(rig: Rig) -> None:
    worker = rig.start()
    for number in (99, None, "x", [1]):
        rig.questions.answered(worker, {"event": "answer", "request": number})


def test_a_worker_that_is_not_ready_in_time_is_killed(rig: Rig) -> None:
    rig.limited(start_timeout=0.1)
    rig.start("time.sleep(600)")
    rig.until(lambda: rig.observed.ended)
    assert "was not ready within 0.1 s" in rig.observed.ended[0]


# -- workers whose business threads all hang ------------------------------------------------------------------

TELLS = """
say(event='ready')
for line in channel:
    command = json.loads(line)
    if command["command"] == "inherit":
        say(event='quarantine', quarantined=command["quarantined"])
    if command["command"] in ("stop", "quit"):
        os._exit(0)
"""


def hung_in_slot_1(rig: Rig, successor: str) -> tuple[Supervisor, Worker]:
    """A worker in charge that has said that it hangs; who comes next is made of this source."""
    supervisor = make_supervisor(rig)
    results: list[BatchResult] = []
    rig.source = NORMAL
    Batch(rig.fleet, rig.generation, (1,), lambda _text: None, results.append).start()
    rig.until(lambda: results)
    (worker,) = results[0].workers
    supervisor.adopt(rig.generation, results[0].workers)
    worker.quarantined = [{"id": 7, "reason": "hung", "span": 2.0}]
    rig.source = successor
    rig.fleet.heard(worker, {"event": "hung"})
    return supervisor, worker


def test_a_worker_that_hangs_stays_until_its_successor_is_ready_and_then_retires(rig: Rig) -> None:
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


def test_it_is_not_replaced_again_and_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, old = hung_in_slot_1(rig, TELLS)
    rig.fleet.heard(old, {"event": "hung"})
    assert len(rig.fleet.living) == 2
    rig.until(lambda: supervisor.serving[1] is not old)
    rig.fleet.heard(supervisor.serving[1], {"event": "hung"})
    assert not supervisor._successions
    rig.until(lambda: len(rig.fleet.living) == 1)
    monkeypatch.setattr("commscaffoldd.master.supervisor.REPLACE_AGAIN", 0.0)
    rig.fleet.heard(supervisor.serving[1], {"event": "hung"})
    assert len(rig.fleet.living) == 2


def test_held_it_puts_no_successor_in_charge(rig: Rig) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.1)\n" + TELLS)
    supervisor.hold()
    rig.until(lambda: all(worker.got_ready for worker in rig.fleet.living))
    assert supervisor.serving == {1: old}
    assert old.state is State.READY


def test_a_successor_that_cannot_start_changes_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    supervisor, old = hung_in_slot_1(rig, "say(event='failed', kind='plugin', errors=['no']); os._exit(3)")
    rig.until(lambda: len(rig.fleet.living) == 1)
    assert supervisor.serving == {1: old}
    assert old.state is State.READY
    assert f"it cannot replace {old}" in caplog.text


def test_a_successor_that_cannot_be_forked_changes_nothing(rig: Rig) -> None:
    rig.failing = []
    supervisor, old = hung_in_slot_1(rig, TELLS)
    rig.until(lambda: supervisor.serving[1] is not old)
    new = supervisor.serving[1]
    supervisor._hung_at.clear()
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    rig.fleet.heard(new, {"event": "hung"})
    assert supervisor.serving == {1: new}


def test_a_worker_that_dies_before_its_successor_is_ready_leaves_it_the_place(rig: Rig) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.3)\n" + TELLS)
    rig.children.kill(old.pid, 9)
    rig.until(lambda: supervisor.serving.get(1, old) is not old)
    new = supervisor.serving[1]
    assert new.got_ready
    assert rig.fleet.living == [new]
    rig.until(lambda: new.quarantined)


@pytest.mark.parametrize("what", ["adopt", "shrink"])
def test_what_comes_meanwhile_does_not_leave_the_successor_behind(rig: Rig, what: str) -> None:
    supervisor, old = hung_in_slot_1(rig, "time.sleep(0.3)\n" + TELLS)
    if what == "adopt":
        for worker in supervisor.adopt(rig.generation, ()):
            rig.fleet.retire(worker, 0.0)
    else:
        supervisor.serving[0] = old  # so that there is one slot more
        supervisor.shrink()
    assert not supervisor._successions
    rig.until(lambda: not rig.fleet.living)
