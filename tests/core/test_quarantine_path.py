"""A quarantined message ID on each engine: what clients get."""

from __future__ import annotations

from typing import Any

import pytest

from commscaffoldd.core.endpoint import HANDLER_FAILED, QUARANTINED, TIMED_OUT
from commscaffoldd.core.route import Mode
from commscaffoldd.core.settings import QuarantineSettings
from tests.core.reactor_rig import route
from tests.core.watchdog_rig import TIMEOUT, Gate, WatchdogRig, watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")


class Moody:
    """A handler that fails as long as it is told to."""

    def __init__(self) -> None:
        self.result: object = None
        self.calls = 0

    def __call__(self, _: Any) -> object:
        self.calls += 1
        if self.result is None:
            raise ValueError("moody")
        return self.result


def echo(request: Any) -> bytes:
    return bytes(request.body)


def ask(made: WatchdogRig, count: int = 1) -> list[int]:
    """Error codes that a client gets for so many messages of ID 7, one after another; 0: a reply."""
    peer = made.rig.connect()
    for number in range(1, count + 1):
        peer.send(7, b"x", number)
        made.rig.until(lambda: len(peer.bodies()) == number)  # noqa: B023
    errors = {sequence: code for sequence, _, code in made.errors(peer)}
    return [errors.get(sequence, 0) for _, sequence, _ in peer.frames]


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_a_handler_that_keeps_failing_is_left_alone_and_others_go_on(mode: Mode) -> None:
    moody = Moody()
    settings = QuarantineSettings(failures=3, first=60.0)
    with watchdog_rig(route(7, moody, mode), route(1, echo, mode), quarantine=settings) as made:
        assert ask(made, 5) == [HANDLER_FAILED] * 3 + [QUARANTINED] * 2
        assert moody.calls == 3
        assert made.rig.total("quarantined") == 2
        peer = made.rig.connect()
        peer.send(1, b"well")
        made.rig.until(lambda: peer.bodies() == [b"well"])
        moody.result = b"well again"
        assert made.quarantine.release(7)
        assert ask(made) == [0]


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_it_is_tried_again_by_itself(mode: Mode) -> None:
    moody = Moody()
    settings = QuarantineSettings(failures=1, first=0.05)
    with watchdog_rig(route(7, moody, mode), quarantine=settings) as made:
        assert ask(made) == [HANDLER_FAILED]
        moody.result = b"well again"
        made.rig.until(lambda: ask(made) == [0])
        assert made.quarantine.quarantined() == []
        assert ask(made, 3) == [0, 0, 0]


@pytest.mark.parametrize("result", [b"", bytearray(b"x"), "no bytes"])
def test_only_what_can_be_sent_is_a_success(result: object) -> None:
    moody = Moody()
    with watchdog_rig(route(7, moody), quarantine=QuarantineSettings(failures=3)) as made:
        ask(made, 2)
        moody.result = result
        ask(made)
        moody.result = None
        ask(made)
        assert bool(made.quarantine.quarantined()) is isinstance(result, str)


def test_messages_that_wait_already_are_refused_too() -> None:
    gate = Gate()
    settings = QuarantineSettings(timeouts=1, first=60.0)
    with watchdog_rig(route(7, gate), quarantine=settings) as made:
        peer = made.rig.connect()
        made.hang(peer, gate, 7, sequence=1)
        peer.send(7, b"x", 2)
        made.rig.until(lambda: made.rig.core.path.backlog.depth == 2)
        made.pass_time(TIMEOUT + 1)
        assert made.told.changes == 1
        gate.let_go()
        made.rig.until(lambda: len(peer.bodies()) == 2)
        assert made.errors(peer) == [(1, 7, TIMED_OUT), (2, 7, QUARANTINED)]
        assert gate.entered == 1
