"""The login gate, on a running core: what is refused, what is let through, and who is closed for not logging in."""

from __future__ import annotations

from typing import Any

import pytest

from commscaffoldd.core import reasons
from commscaffoldd.core.endpoint import REFUSED, encode_error
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.login import behind_login
from commscaffoldd.core.request import LifecycleCall, Request
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.settings import LoginSettings, QuarantineSettings
from tests.core.reactor_rig import reactor_rig, route

pytestmark = pytest.mark.usefixtures("each_engine")

LOGIN, WHO, SECRET, UNKNOWN = 1, 2, 3, 9
FOR_EVER = LoginSettings(timeout=0.0)
AT_ONCE = LoginSettings(timeout=0.1)


def log_in(request: Any) -> bytes:
    request.connection.authenticate(request.body.decode())
    return b"welcome"


def gated(message_id: int, function: Any, mode: Mode = "pool") -> Route:
    return route(message_id, behind_login(function), mode)


def routes(mode: Mode = "pool") -> tuple[Route, ...]:
    return (
        route(LOGIN, log_in),
        gated(WHO, lambda request: request.connection.user.encode(), mode),
        gated(SECRET, lambda _: b"secret", mode),
    )


def refused(message_id: int) -> bytes:
    return encode_error(message_id, REFUSED, f"message ID {message_id} needs a login: log in first")


@pytest.mark.parametrize("mode", ["pool", "inline"])
def test_only_open_ids_are_handled_before_the_login_and_all_behind_it(mode: Mode) -> None:
    with reactor_rig(*routes(mode), login=FOR_EVER) as rig:
        peer = rig.connect()
        for message_id, body in (
            (SECRET, b""),
            (LOGIN, b"ann"),
            (SECRET, b""),
            (WHO, b""),
        ):  # at once: the order counts
            peer.send(message_id, body)
        rig.until(lambda: len(peer.bodies()) == 4)
        assert peer.bodies() == [refused(SECRET), b"welcome", b"secret", b"ann"]
        assert (rig.total("login_refusals"), rig.total("handler_errors")) == (1, 0)


def test_who_has_not_logged_in_is_not_told_which_ids_there_are() -> None:
    with reactor_rig(*routes(), login=FOR_EVER) as rig:
        peer = rig.connect()
        peer.send(UNKNOWN)
        peer.send(0)
        rig.until(lambda: len(peer.bodies()) == 2)
        assert peer.bodies() == [refused(UNKNOWN), b""]  # a heartbeat is answered
        peer.send(LOGIN, b"ann")
        rig.until(lambda: len(peer.bodies()) == 3)
        peer.send(UNKNOWN)
        rig.until(lambda: len(peer.bodies()) == 4)
        assert b"no handler for message ID 9" in peer.bodies()[-1]


def test_where_the_layout_has_no_error_replies_the_message_is_dropped_and_counted() -> None:
    with reactor_rig(*routes(), login=FOR_EVER, layout=PRESETS["zinx"]) as rig:
        peer = rig.connect()
        peer.send(SECRET)
        peer.send(LOGIN, b"ann")
        rig.until(lambda: peer.bodies() == [b"welcome"])
        assert rig.total("login_refusals") == 1


def test_who_does_not_log_in_is_closed_and_who_has_is_not() -> None:
    ended: list[str] = []

    def closed(call: LifecycleCall) -> None:
        ended.append(call.reason)

    with reactor_rig(*routes(), login=AT_ONCE, closed=closed) as rig:
        good, bad = rig.connect(), rig.connect()
        good.send(LOGIN, b"ann")
        rig.until(lambda: bad.gone and ended)
        assert ended == [reasons.LOGIN_TIMEOUT]
        assert rig.total("login_timeouts") == 1
        good.send(WHO)
        rig.until(lambda: good.bodies() == [b"welcome", b"ann"])
        assert rig.engine._deadlines.wait(0.0) == float("inf")  # type: ignore[attr-defined]  # none is looked at any more


def test_a_heartbeat_is_no_login() -> None:
    with reactor_rig(*routes(), login=AT_ONCE) as rig:
        peer = rig.connect()
        peer.send(0)
        rig.until(lambda: peer.bodies() == [b""])
        rig.until(lambda: peer.gone)


def test_a_refused_message_is_no_try_of_a_quarantined_handler() -> None:
    """Else somebody who need not even log in could keep an ID quarantined."""

    def fail_once(request: Request) -> bytes:
        if request.body == b"fail":
            raise ValueError
        return b"well"

    quarantine = QuarantineSettings(failures=1, first=0.01)
    with reactor_rig(route(LOGIN, log_in), gated(SECRET, fail_once), login=FOR_EVER, quarantine=quarantine) as rig:
        good, bad = rig.connect(), rig.connect()
        good.send(LOGIN, b"ann")
        good.send(SECRET, b"fail")
        rig.until(lambda: len(good.bodies()) == 2)
        assert rig.core.path.quarantine.quarantined()

        def tried() -> bool:
            bad.send(SECRET)
            rig.turn()
            return refused(SECRET) in bad.bodies()  # the quarantine's time was over: the gate has been asked

        rig.until(tried)
        good.send(SECRET)
        rig.until(lambda: good.bodies()[-1] == b"well")
        assert not rig.core.path.quarantine.quarantined()
