"""Who has logged in, and by when the others must, moves with the connection."""

from __future__ import annotations

import msgspec

from commscaffoldd.core.moving import ConnectionState
from commscaffoldd.core.settings import LoginSettings
from tests.core.move_rig import ECHO, Engines, move


def test_who_has_logged_in_travels_and_so_does_the_deadline(engines: Engines) -> None:
    with move(engines, login=LoginSettings(timeout=0.5)) as two:
        known, slot = two.connect()
        stranger, other = two.connect()
        assert slot.connection is not None
        assert other.connection is not None
        slot.connection.authenticate(("ann", 7))
        since = other.connection.login_since
        assert since == other.opened_at

        moved, waiting = two.move(slot), two.move(other)

        assert moved.connection is not None
        assert waiting.connection is not None
        assert (moved.connection.user, waiting.connection.user) == (("ann", 7), None)
        assert waiting.connection.login_since == since  # it does not begin anew
        two.until(lambda: stranger.gone)
        assert two.new.total("login_timeouts") == 1
        known.send(ECHO, b"still here")
        two.get(known, b"still here")


def test_who_stays_after_all_must_still_log_in(engines: Engines) -> None:
    with move(engines, login=LoginSettings(timeout=0.3)) as two:
        peer, slot = two.connect()
        two.cancel(two.prepare(slot).departing)
        two.until(lambda: peer.gone)
        assert two.old.total("login_timeouts") == 1


def test_who_comes_from_where_no_login_was_needed_has_the_whole_time(engines: Engines) -> None:
    with move(engines, login=LoginSettings(timeout=30.0)) as two:
        _, slot = two.connect()
        prepared = two.prepare(slot)
        prepared.state.opened_at -= 1000
        fields = msgspec.to_builtins(prepared.state)
        del fields["user"], fields["login_since"]  # so does an older version send it
        prepared.state = msgspec.convert(fields, ConnectionState)

        connection = two.adopt(prepared).connection
        two.old.core.departures.confirm(prepared.departing)

        assert connection is not None
        assert connection.login_since > slot.opened_at
        assert not connection.authenticated
