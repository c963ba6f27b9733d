from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugins.conftest import Client, Worker

JOIN, SAY, LEAVE, SAID, EVENT = 20, 21, 22, 23, 24
OK, REFUSED, MALFORMED = 0, 1, 3


@pytest.fixture
def chat(worker: Callable[..., Worker]) -> Worker:
    return worker("chat", {"max_text": 10, "max_rooms": 2, "max_members": 2})


@pytest.fixture
def ann() -> Client:
    client = Client("1.0.1")
    client.session["user"] = "ann"
    return client


@pytest.fixture
def bob() -> Client:
    return Client("1.1.1")


def test_what_is_said_reaches_the_others_in_the_room(chat: Worker, ann: Client, bob: Client) -> None:
    other = Client("1.2.1")
    chat.ask(ann, JOIN, b"tea")
    assert chat.ask(bob, JOIN, b"tea") == b"\x002 in the room"
    chat.ask(other, JOIN, b"coffee")

    assert chat.ask(ann, SAY, b"hi") == b"\x00said to 1"

    assert bob.sent == [(SAID, b"\x03annhi")]
    assert ann.sent == [(EVENT, b"\x01\x051.1.1")]
    assert other.sent == []


def test_leaving_changing_rooms_and_disconnecting_are_told(chat: Worker, ann: Client, bob: Client) -> None:
    left = (EVENT, b"\x02\x03ann")
    joined = (EVENT, b"\x01\x03ann")
    chat.ask(bob, JOIN, b"tea")
    for go in (
        lambda: chat.ask(ann, LEAVE, b""),
        lambda: chat.ask(ann, JOIN, b"coffee"),
        lambda: chat.gone(ann),
    ):
        chat.ask(ann, JOIN, b"tea")
        go()

        assert bob.sent == [joined, left]
        bob.sent.clear()


def test_nothing_is_kept_of_clients_that_have_gone(chat: Worker) -> None:
    for number in range(10):  # more than there may be rooms or members
        client = Client(f"1.0.{number}")
        assert chat.ask(client, JOIN, b"room %d" % number)[0] == OK
        chat.gone(client)
        chat.gone(client)


@pytest.mark.parametrize("body", [b"", b"x" * 65, b"\xff", b"two\nlines"])
def test_a_room_needs_a_proper_name(chat: Worker, ann: Client, body: bytes) -> None:
    assert chat.ask(ann, JOIN, body)[0] == MALFORMED


@pytest.mark.parametrize("body", [b"", b"x" * 11, b"\xff"])
def test_a_text_is_bounded(chat: Worker, ann: Client, body: bytes) -> None:
    chat.ask(ann, JOIN, b"tea")

    assert chat.ask(ann, SAY, body)[0] == MALFORMED


def test_what_is_refused(chat: Worker, ann: Client, bob: Client) -> None:
    assert chat.ask(ann, SAY, b"hi") == b"\x01join a room first"
    assert chat.ask(ann, LEAVE, b"") == b"\x01you are in no room"
    chat.ask(ann, JOIN, b"tea")
    assert chat.ask(ann, JOIN, b"tea") == b"\x01you are in this room already"
    chat.ask(bob, JOIN, b"tea")
    assert chat.ask(Client("1.2.1"), JOIN, b"tea") == b"\x01the room is full"
    chat.ask(Client("1.3.1"), JOIN, b"coffee")
    assert chat.ask(Client("1.4.1"), JOIN, b"milk") == b"\x01there are too many rooms"


def test_being_refused_a_room_keeps_the_old_one(chat: Worker, ann: Client, bob: Client) -> None:
    chat.ask(ann, JOIN, b"tea")
    chat.ask(bob, JOIN, b"tea")
    late = Client("1.2.1")
    chat.ask(late, JOIN, b"coffee")

    assert chat.ask(late, JOIN, b"tea")[0] == REFUSED
    assert chat.ask(late, SAY, b"hi") == b"\x00said to 0"


def test_a_long_name_is_cut_between_characters(chat: Worker, ann: Client, bob: Client) -> None:
    ann.session["user"] = "ä" * 200
    chat.ask(bob, JOIN, b"tea")

    chat.ask(ann, JOIN, b"tea")

    assert bob.sent == [(EVENT, b"\x01\xfe" + "ä".encode() * 127)]


def test_a_member_stays_in_its_room_when_another_worker_goes_on(chat: Worker, ann: Client, bob: Client) -> None:
    chat.ask(ann, JOIN, b"tea")
    chat.ask(bob, JOIN, b"tea")
    chat.moved("connection_handing_over", ann)
    assert chat.ask(bob, SAY, b"anybody?") == b"\x00said to 0"
    chat.moved("connection_adopted", ann)
    assert chat.ask(bob, SAY, b"and now?") == b"\x00said to 1"
    assert bob.sent == []
