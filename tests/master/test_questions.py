"""Questions to workers: who answers, who does not, and what is waited for."""

from __future__ import annotations

from commscaffoldd.master.questions import Answers
from commscaffoldd.master.workers import Worker
from tests.master.fleet_rig import FleetRig


def ask(rig: FleetRig, workers: list[Worker], command: str, timeout: float = 20.0) -> Answers:
    got: list[Answers] = []
    rig.questions.ask(workers, command, timeout, got.append)
    rig.until(lambda: got)
    return got[0]


def test_questions_gather_answers_and_errors(rig: FleetRig) -> None:
    first, second = rig.start(), rig.start()
    answers = ask(rig, [first, second], "routes")
    assert {worker.number for worker, _ in answers.answered} == {1, 2}
    assert ask(rig, [first], "connections").errors == [f"{first}: no idea"]
    assert ask(rig, [], "routes").answered == []


def test_a_question_does_not_wait_for_who_is_gone_or_silent(rig: FleetRig) -> None:
    silent = rig.start("say(event='ready'); time.sleep(600)")
    assert ask(rig, [silent], "routes", 0.05).errors == [f"{silent} did not answer within 0.05 s"]
    dying = rig.start("channel.readline(); os._exit(1)")
    assert ask(rig, [dying], "routes").errors == [f"{dying} ended before it answered"]


def test_an_answer_that_is_late_or_wrong_is_forgotten(rig: FleetRig) -> None:
    worker = rig.start()
    for number in (99, None, "x", [1]):
        rig.questions.answered(worker, {"event": "answer", "request": number})
