"""The channel to the master."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from commscaffoldd.worker.channel import Channel, send


class Bench:
    def __init__(self) -> None:
        self.master, worker = socket.socketpair()
        self.master.settimeout(20)
        self.lines = self.master.makefile("rb")
        self.died = threading.Event()
        self.worker = worker
        self.channel = Channel(
            worker,
            {"add": lambda c: {"sum": c["a"] + c["b"]}, "note": lambda _: None, "fail": self._fail},
            self.died.set,
        )
        self.channel.start()

    def _fail(self, _: Mapping[str, Any]) -> None:
        raise LookupError("nothing here")

    def tell(self, **command: Any) -> None:
        self.master.sendall(json.dumps(command).encode() + b"\n")

    def hear(self) -> Any:
        return json.loads(self.lines.readline())


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.lines.close()
    made.master.close()
    assert made.died.wait(20)
    made.channel._thread.join(20)
    made.worker.close()


def test_an_answer_carries_its_requests_number(bench: Bench) -> None:
    bench.tell(command="note")
    bench.tell(command="add", request=9, a=1, b=2)
    assert bench.hear() == {"event": "answer", "request": 9, "sum": 3}


def test_an_unknown_command_is_answered(bench: Bench) -> None:
    bench.tell(command="dance", request=1)
    assert bench.hear()["error"] == "a worker does not know the command 'dance'"


def test_a_command_that_fails_does_not_end_the_thread_that_notices_the_masters_death(bench: Bench) -> None:
    bench.tell(command="fail", request=1)
    assert bench.hear() == {"event": "answer", "request": 1, "error": "LookupError: nothing here"}
    bench.tell(command="add", request=2, a=1, b=2)
    assert bench.hear()["sum"] == 3


def test_lines_of_several_threads_are_not_torn(bench: Bench) -> None:
    def say(number: int) -> None:
        for _ in range(50):
            bench.channel.tell({"n": number, "x": "x" * 5000})

    threads = [threading.Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert sorted(bench.hear()["n"] for _ in range(200)) == sorted(list(range(4)) * 50)
    for thread in threads:
        thread.join()


def test_a_dead_master_is_noticed_also_with_something_unread(bench: Bench) -> None:
    bench.channel.tell({"event": "ready"})
    bench.lines.close()
    bench.master.close()
    assert bench.died.wait(20)


def test_telling_a_dead_master_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    send(ours, {"event": "ready"}, threading.Lock())
    ours.close()
