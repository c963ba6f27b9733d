"""A rehearsal: recorded messages through the handlers, and what is wrong with what they do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commscaffoldd.capture.records import Closed, Known, Received, Sent
from commscaffoldd.core.endpoint import encode_error
from tests.capture.examples import LISTEN
from tests.worker.rehearsal.conftest import Rehearse

ERROR = 0xFFFFFFFF
KNOWN = Known(1, "1.0.0", "192.0.2.7:4000", LISTEN, "standard", opened=True)


GREET = """
    @handler(5)
    def greet(request):
        number = request.connection.session["n"] = request.connection.session.get("n", 0) + 1
        request.connection.send(9, b"push")
        if request.body == b"fail":
            raise ValueError(f"no, {number}")
        return b"hello"
    """


def test_all_well(rehearse: Rehearse) -> None:
    made = rehearse(GREET, KNOWN, Received(2, "1.0.0", 5, 1, b"a"), Sent(3, "1.0.0", 5, 1, b"another reply"))
    assert (made.errors, made.played) == ([], 1)


def test_a_handler_that_fails_is_named_with_record_and_place(rehearse: Rehearse, tmp_path: Path) -> None:
    steps = [Received(2 + n, "1.0.0", 5, n, body) for n, body in enumerate((b"a", b"fail", b"b"))]
    made = rehearse(GREET, KNOWN, *steps)
    (error,) = made.errors
    assert error.startswith(f"{tmp_path / 'x.cap'}: record 4: message ID 5, handler greet of plugin greet: ")
    assert "plugins/greet.py:9: ValueError: no, 2" in error  # with the session of its connection
    assert made.played == 3


def test_each_connection_has_its_own_session_and_the_hooks_in_order(rehearse: Rehearse) -> None:
    made = rehearse(
        """
        import os
        def see(text): os.environ["SEEN"] = os.environ.get("SEEN", "") + text + " "
        @hookimpl
        def connection_opened(connection): see("opened:" + connection.peer)
        @hookimpl
        def connection_closed(connection, reason): see(f"closed:{reason}:{connection.send(5, b'')}")
        @handler(5)
        def greet(request): see(request.body.decode())
        """,
        KNOWN,
        Received(2, "1.0.0", 5, 1, b"a"),
        Closed(4, "1.0.0", "peer closed"),
        Received(3, "1.0.1", 5, 1, b"b"),
    )
    assert made.errors == []
    expected = "opened:192.0.2.7:4000 a opened:? b closed:peer closed:False closed:the rehearsal is over:False "
    assert os.environ["SEEN"] == expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("return 7", "greet returned int; expected bytes for a reply, or None for none"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("request.connection.send(2**40, b'')", "message ID 1099511627776 does not fit layout standard"),
        ("import time; time.sleep(0.05)", "its time-out is 0.01 s"),
    ],
)
def test_what_else_is_wrong(rehearse: Rehearse, source: str, says: str) -> None:
    made = rehearse(
        f"@handler(5, timeout=0.01)\ndef greet(request):\n    {source}\n", Received(2, "1.0.0", 5, 1, b"")
    )
    (error,) = made.errors
    assert says in error


def test_a_message_id_that_has_lost_its_handler(rehearse: Rehearse) -> None:
    made = rehearse(
        GREET,
        KNOWN,
        Received(2, "1.0.0", 6, 1, b""),
        Sent(3, "1.0.0", 6, 1, b"there was one"),
        Received(4, "1.0.0", 7, 2, b""),
        Sent(5, "1.0.0", ERROR, 2, encode_error(7, 1, "there was none then, either")),
        Received(6, "1.0.0", 8, 3, b"nobody knows what came of this"),
        Received(7, "1.0.0", 0, 0, b""),
        Sent(8, "1.0.0", 0, 0, b""),
    )
    (error,) = made.errors
    assert "record 3: message ID 6: there is no handler for it; there was one" in error


def test_a_body_that_is_refused_now_is_an_error_unless_it_was_then(rehearse: Rehearse) -> None:
    made = rehearse(
        """
        from commscaffoldd.core.refusal import Refusal
        @handler(5)
        def greet(request):
            return Refusal(int(request.body), "no")
        """,
        KNOWN,
        Received(2, "1.0.0", 5, 1, b"2"),
        Sent(3, "1.0.0", 5, 1, b"fine"),
        Received(4, "1.0.0", 5, 2, b"2"),
        Sent(5, "1.0.0", ERROR, 2, encode_error(5, 2, "refused then, too")),
        Received(6, "1.0.0", 5, 3, b"7"),
    )
    (error,) = made.errors
    assert "record 3: message ID 5" in error
    assert "the body is refused, and was not when it was recorded: no" in error


def test_a_connection_that_the_plugin_closes_gets_no_more(rehearse: Rehearse) -> None:
    made = rehearse(
        "@handler(5)\ndef greet(request): request.connection.close()\n",
        *(Received(number, "1.0.0", 5, number, b"") for number in (1, 2, 3)),
    )
    assert (made.errors, made.played) == ([], 1)


def test_many_errors_are_counted(rehearse: Rehearse) -> None:
    made = rehearse(GREET, *(Received(number, "1.0.0", 5, number, b"fail") for number in range(1, 31)))
    assert len(made.errors) == 21
    assert made.errors[-1] == "and 10 more"
