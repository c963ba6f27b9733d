"""Clients that come, go, move and log in, without sockets."""

from __future__ import annotations

import pytest

from commscaffoldd.client import ConnectionClosed, ErrorReply
from commscaffoldd.core.session import SessionError
from commscaffoldd.testing import FakeClock, FakeConnection, Push
from tests.testing.conftest import Load


def test_messages_are_of_one_client_unless_it_is_said(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def count(request):
            session = request.connection.session
            session["count"] = session.get("count", 0) + 1
            return b"%d" % session["count"]
    """)
    other = plugin.connect()

    replies = [plugin.call(1), plugin.call(1), plugin.call(1, connection=other)]

    assert replies == [b"1", b"2", b"1"]
    assert plugin.connection.session == {"count": 2}
    assert other.id != plugin.connection.id


def test_pushes_are_noted(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def tell(request, connection: Connection):
            assert connection.send(7, msgspec.msgpack.encode(Reply("news")))
    """)
    plugin.call(1)

    ((number, body),) = pushed = plugin.connection.take_sent()

    assert (number, body) == (7, b"\x81\xa4text\xa4news")
    assert pushed[0].read(dict[str, str]) == {"text": "news"}
    assert plugin.connection.sent == []


def test_a_connection_that_a_handler_closes_gets_nothing_more(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def leave(request):
            request.connection.close("enough")
            return b"bye"
    """)

    assert plugin.call(1) == b"bye"
    assert plugin.connection.closed == "enough"
    with pytest.raises(ConnectionClosed, match="enough"):
        plugin.call(1)


def test_hooks_of_a_connection_and_what_they_raise(load: Load) -> None:
    plugin = load("""
        def note(connection, what):
            connection.session.setdefault("seen", []).append(what)

        @hookimpl
        def connection_opened(connection):
            note(connection, "opened")

        @hookimpl
        def connection_closed(connection, reason):
            note(connection, reason)
            assert not connection.send(1, b"")
            raise LookupError("no such room")
    """)
    connection = plugin.connect()

    with pytest.raises(LookupError, match="no such room"):
        plugin.close(connection, "reset by peer")

    assert connection.session["seen"] == ["opened", "reset by peer"]


def test_the_default_client_that_has_gone_is_followed_by_another(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def echo(request): ...
    """)
    first = plugin.connection

    plugin.close()

    assert not first.is_open
    assert plugin.connection is not first


def test_a_client_moves_with_its_session(load: Load) -> None:
    plugin = load("""
        members = {}

        @handler(1)
        def join(request):
            members[request.connection.id] = request.connection

        @handler(2)
        def say(request):
            for one in members.values():
                assert one.send(3, request.body)

        @hookimpl
        def connection_handing_over(connection):
            del members[connection.id]
            connection.session["room"] = ("lobby", 1)

        @hookimpl
        def connection_adopted(connection):
            members[connection.id] = connection
    """)
    old = plugin.connection
    plugin.call(1)

    new = plugin.hand_over()
    plugin.call(2, b"hello")

    assert plugin.connection is new
    assert (new.id, new.session) == (old.id, {"room": ("lobby", 1)})
    assert (old.sent, new.sent) == ([], [Push(3, b"hello")])
    assert not old.is_open


def test_a_session_that_cannot_travel_is_told(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def keep(request):
            request.connection.session["lock"] = Reply("x")
    """)
    plugin.call(1)

    with pytest.raises(SessionError, match="'lock'"):
        plugin.hand_over()


def test_a_connection_of_ones_own(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def who(request):
            connection = request.connection
            return f"{connection.peer} {connection.layout} {connection.session['user']}".encode()
    """)
    connection = FakeConnection(peer="198.51.100.1:1", layout="compact", session={"user": "ann"})

    assert plugin.call(1, connection=connection) == b"198.51.100.1:1 compact ann"


LOGIN = """
    @handler(1, open=True)
    def login(request, connection: Connection):
        connection.authenticate({"name": request.body.decode()})

    @handler(2)
    def who(request):
        return request.connection.user["name"].encode()

    @hookimpl
    def connection_closed(connection, reason):
        connection.session["reason"] = reason
"""


def test_the_gate_is_shut_before_the_login(load: Load) -> None:
    plugin = load(LOGIN)

    with pytest.raises(ErrorReply, match=r"error 7 .*log in first"):
        plugin.call(2)
    with pytest.raises(ErrorReply, match=r"error 7 .*log in first"):
        plugin.call(3)
    plugin.call(1, b"ann")

    assert plugin.call(2) == b"ann"
    assert plugin.call(2, connection=plugin.hand_over()) == b"ann"
    with pytest.raises(ErrorReply, match="error 1 "):
        plugin.call(3)


def test_who_does_not_log_in_in_time_is_closed(load: Load) -> None:
    clock = FakeClock()
    plugin = load(LOGIN, clock=clock, config={"login": {"timeout": 3}})
    one, other = plugin.connect(), plugin.connect()
    plugin.call(1, b"ann", connection=other)

    clock.advance(2.9)
    assert one.is_open
    clock.advance(0.2)

    assert (one.closed, one.session) == ("login timeout", {"reason": "login timeout"})
    assert other.is_open
