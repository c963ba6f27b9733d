"""Messages that are refused, by a handler or before it, on each engine: what clients get, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from commscaffoldd.core.endpoint import BAD_BODY, REFUSED
from commscaffoldd.core.refusal import Refusal, Refuse
from commscaffoldd.core.route import Mode
from commscaffoldd.core.settings import QuarantineSettings
from tests.core.reactor_rig import route
from tests.core.watchdog_rig import WatchdogRig, watchdog_rig

pytestmark = pytest.mark.usefixtures("each_engine")

EAGER = QuarantineSettings(failures=1, first=60.0)


def refuse(request: Any) -> bytes:
    raise Refuse(1001, f"not {request.body.decode()}")


def ask(made: WatchdogRig, body: bytes = b"x") -> tuple[int, str]:
    """The code and text of the error reply to a message with ID 7; 0 and the body if it is none."""
    peer = made.rig.connect()
    peer.send(7, body, 3)
    made.rig.until(lambda: len(peer.bodies()) == 1)
    codes = [code for sequence, message_id, code in made.errors(peer) if (sequence, message_id) == (3, 7)]
    (answer,) = peer.bodies()
    return (codes[0], answer[6:].decode()) if codes else (0, answer.decode())


@pytest.mark.parametrize("mode", ["pool", "concurrent", "inline"])
def test_a_handler_that_refuses_is_well(mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    with watchdog_rig(route(7, refuse, mode), quarantine=EAGER) as made:
        for body in (b"this", b"that"):
            assert ask(made, body) == (1001, f"not {body.decode()}")
        assert made.rig.total("handler_errors") == 0
        assert made.rig.total("quarantined") == 0
    assert caplog.records == []


def test_a_refusal_in_place_of_a_reply(caplog: pytest.LogCaptureFixture) -> None:
    with watchdog_rig(route(7, lambda _: Refusal(BAD_BODY, "body: no")), quarantine=EAGER) as made:
        assert ask(made) == (BAD_BODY, "body: no")
        assert made.rig.total("quarantined") == 0
    assert caplog.records == []


def test_a_text_that_is_no_text() -> None:
    with watchdog_rig(route(7, lambda _: Refusal(1001, "\ud800!"))) as made:
        assert ask(made) == (1001, "?!")


class Moody:
    def __init__(self) -> None:
        self.result: Any = ValueError("moody")

    def __call__(self, _: Any) -> object:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_a_refusal_ends_trouble_but_a_bad_body_says_nothing_of_the_handler() -> None:
    moody = Moody()
    with watchdog_rig(route(7, moody), quarantine=QuarantineSettings(failures=1, first=0.01)) as made:
        ask(made)
        for nothing_said in (Refusal(BAD_BODY, "body: no"), Refuse(BAD_BODY, "body: no")):
            moody.result = nothing_said
            made.rig.until(lambda: ask(made) == (BAD_BODY, "body: no"))
            assert made.quarantine.quarantined()
        moody.result = Refuse(text="go away")
        made.rig.until(lambda: ask(made) == (REFUSED, "go away"))
        assert made.quarantine.quarantined() == []


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        ((0, "no"), ValueError, r"Refuse\(0\): a code is from 1 to 65535; those from 1000 on are plugins' own"),
        ((65536, "no"), ValueError, "a code is from 1 to 65535"),
        (("no",), TypeError, r"Refuse\('no'\): a code is an int from 1 to 65535; the text comes after it"),
        ((True, "no"), TypeError, r"Refuse\(True\)"),
        ((1000, b"no"), TypeError, r"Refuse\(1000, b'no'\): the text is a str"),
    ],
)
def test_a_refusal_that_cannot_be_sent(arguments: tuple[Any, ...], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        Refuse(*arguments)
