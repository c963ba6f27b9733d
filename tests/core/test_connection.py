"""A connection as plugins see it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from commscaffoldd.core import reasons
from tests.core.parts import Parts
from tests.core.slots import Recorder, connection_of, take_over


def test_a_push_goes_to_the_outbox_and_to_the_sender(parts: Parts) -> None:
    outlet = Recorder()
    slot = parts.open_slot(outlet, "standard")
    assert connection_of(slot).send(5, memoryview(b"hello"))  # type: ignore[arg-type]
    assert slot.outbox == [(5, 0, b"hello")]
    assert outlet.flushed == [slot]


@pytest.mark.parametrize(
    ("message_id", "body", "error", "says"),
    [
        (1, "text", TypeError, "a body is bytes, bytearray or memoryview, not str"),
        (1.0, b"", TypeError, "integer"),
        ("1", b"", TypeError, "integer"),
        (1 << 32, b"", ValueError, "message ID 4294967296 does not fit layout standard: 0 to 4294967295"),
        (-1, b"", ValueError, "message ID -1 does not fit"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(
    parts: Parts, message_id: Any, body: Any, error: type[Exception], says: str
) -> None:
    """Not later, in the sender's thread, which it would end."""
    slot = parts.open_slot(Recorder(), "standard")
    with pytest.raises(error, match=says):
        connection_of(slot).send(message_id, body)
    assert slot.outbox == []


def test_a_late_push_never_reaches_the_slots_next_client(parts: Parts) -> None:
    outlet = Recorder()
    slot = parts.open_slot(outlet, "standard")
    old = connection_of(slot)
    new = take_over(slot)
    assert not old.is_open
    assert not old.send(5, b"secret")
    old.close()
    assert slot.outbox == []
    assert new.is_open
    assert outlet.closings == [(0, reasons.PLUGIN, True)]  # of a generation that is over: the engine ignores it


@pytest.mark.parametrize("user", ["ann", 7, b"ann", {"name": "ann", "roles": ["admin"]}, ("ann", 7), ""])
def test_any_plain_data_is_a_user(parts: Parts, user: Any) -> None:
    connection = connection_of(parts.open_slot(Recorder(), "standard"))
    assert (connection.user, connection.authenticated) == (None, False)
    connection.authenticate(user)
    assert (connection.user, connection.authenticated) == (user, True)


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (None, "authenticate(None): None means that nobody has logged in; give a name, a number, a dict"),
        (
            {"account": Recorder()},
            "authenticate(dict): the user cannot be carried: it holds tests.core.slots.Recorder; allowed: None,",
        ),
    ],
)
def test_a_user_who_could_not_travel_is_refused_at_once(parts: Parts, user: Any, says: str) -> None:
    connection = connection_of(parts.open_slot(Recorder(), "standard"))
    with pytest.raises(TypeError, match=re.escape(says)):
        connection.authenticate(user)
    assert not connection.authenticated


def test_closing_asks_for_a_drain_and_shows_at_once(parts: Parts) -> None:
    outlet = Recorder()
    connection = connection_of(parts.open_slot(outlet, "standard"))
    connection.close("enough")
    assert not connection.is_open
    assert outlet.closings == [(0, "enough", True)]


def test_a_reason_is_a_string(parts: Parts) -> None:
    outlet = Recorder()
    with pytest.raises(TypeError, match="a reason is a string, not list"):
        connection_of(parts.open_slot(outlet, "standard")).close(["enough"])  # type: ignore[arg-type]
    assert outlet.closings == []


def test_the_session_is_made_when_it_is_wanted_and_stays(parts: Parts) -> None:
    connection = connection_of(parts.open_slot(Recorder(), "standard"))
    connection.session["name"] = "ann"
    assert connection.session == {"name": "ann"}


def test_the_layout_is_told_while_the_client_is_there(parts: Parts) -> None:
    slot = parts.open_slot(Recorder(), "compact")
    old = connection_of(slot)
    assert old.layout == "compact"
    take_over(slot)
    assert old.layout == ""
