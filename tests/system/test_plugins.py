"""The example plugins, as they are, in a real daemon."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from commscaffoldd.client.frame_client import Frame, FrameClient
from tests.system.daemon import EXAMPLES, Daemon

pytestmark = pytest.mark.usefixtures("each_engine")

REGISTER, LOG_IN = 5, 6
JOIN, SAY, LEAVE, SAID, EVENT = 20, 21, 22, 23, 24
DONE, TAKEN, WRONG, MALFORMED = 0, 1, 2, 3  # account's
REFUSED = 1  # chat's
JOINED, LEFT = 1, 2
STANDARD, COMPACT = 0, 1  # listeners

PASSWORD = "correct horse"


@pytest.fixture
def examples(daemon: Daemon) -> Daemon:
    """A daemon with the examples, on standard and compact, with hashes that cost little; not started."""
    daemon.configure(
        listen=[
            {"address": daemon.free_address(), "layout": "standard"},
            {"address": daemon.free_address(), "layout": "compact"},
        ],
        plugins={"path": [str(EXAMPLES)]},
        plugin={
            "account": {"database": str(daemon.folder / "accounts"), "scrypt_n": 16, "scrypt_r": 1, "scrypt_p": 1}
        },
    )
    return daemon


@pytest.mark.parametrize("listener", [STANDARD, COMPACT], ids=["standard", "compact"])
def test_register_and_log_in(examples: Daemon, listener: int) -> None:
    examples.configure(daemon={"workers": 2})
    examples.start()
    with examples.connect(listener) as client:
        assert client.call(LOG_IN, _account("ann"))[0] == WRONG
        assert client.call(REGISTER, _account("ann"))[0] == DONE
        assert client.call(REGISTER, _account("ann", "another one"))[0] == TAKEN
        assert client.call(LOG_IN, _account("ann", "wrong horse"))[0] == WRONG
        assert client.call(LOG_IN, _account("ann"))[0] == DONE
        assert client.call(REGISTER, _account("bob", "short"))[0] == MALFORMED
        assert client.call(LOG_IN, b"\x05ann")[0] == MALFORMED
    assert PASSWORD not in examples.log()
    assert re.search(r"\bann\b", examples.log()) is None


def test_accounts_are_the_same_on_all_layouts_and_survive_a_restart(examples: Daemon) -> None:
    examples.configure(daemon={"workers": 2})
    examples.start()
    with examples.connect(STANDARD) as client:
        assert client.call(REGISTER, _account("ann"))[0] == DONE
    with examples.connect(COMPACT) as client:
        assert client.call(LOG_IN, _account("ann"))[0] == DONE
    before = examples.master_pid()

    assert examples.command("restart").code == 0

    assert examples.master_pid() != before
    for listener in (STANDARD, COMPACT):
        with examples.connect(listener) as client:
            assert client.call(LOG_IN, _account("ann", "wrong horse"))[0] == WRONG
            assert client.call(LOG_IN, _account("ann"))[0] == DONE
            assert client.call(REGISTER, _account("ann"))[0] == TAKEN


def test_log_in_over_compact_is_the_frame_that_the_readme_shows(examples: Daemon) -> None:
    examples.start()
    with examples.connect(COMPACT) as client:
        frame = client.layout.encode(LOG_IN, 0, _account("ann"))
        assert (len(frame), frame[:4], frame[8:]) == (26, b"\x00\x1a\x00\x06", b"\x03ann\x0dcorrect horse")
        assert client.call(REGISTER, _account("ann"))[0] == DONE
        client._socket.sendall(frame)
        reply = client.receive()
        assert (reply.id, reply.body[0]) == (LOG_IN, DONE)


def test_chat_pushes_what_is_said_to_the_others(examples: Daemon) -> None:
    examples.start()
    with _logged_in(examples, STANDARD, "ann") as ann, _logged_in(examples, COMPACT, "bob") as bob:
        assert ann.call(SAY, b"nobody there?")[0] == REFUSED
        assert ann.call(JOIN, b"kitchen") == b"\x001 in the room"
        assert bob.call(JOIN, b"kitchen") == b"\x002 in the room"
        assert ann.receive() == Frame(EVENT, 0, bytes([JOINED]) + _text("bob"))

        assert bob.call(SAY, "grüß Gott".encode()) == b"\x00said to 1"
        assert ann.receive() == Frame(SAID, 0, _text("bob") + "grüß Gott".encode())
        assert ann.call(SAY, b"hello") == b"\x00said to 1"
        assert bob.receive() == Frame(SAID, 0, _text("ann") + b"hello")

        # What is said next is what comes next: nobody hears himself, and nobody twice.
        ann.call(SAY, b"bye")
        assert bob.receive() == Frame(SAID, 0, _text("ann") + b"bye")
        assert ann.call(LEAVE)[0] == DONE
        assert bob.receive() == Frame(EVENT, 0, bytes([LEFT]) + _text("ann"))
        assert bob.call(SAY, b"alone") == b"\x00said to 0"


def test_who_disconnects_has_left_the_chat(examples: Daemon) -> None:
    examples.start()
    with _logged_in(examples, STANDARD, "ann") as ann:
        ann.call(JOIN, b"kitchen")
        with _logged_in(examples, COMPACT, "bob") as bob:
            bob.call(JOIN, b"kitchen")
            assert ann.receive() == Frame(EVENT, 0, bytes([JOINED]) + _text("bob"))
        assert ann.receive() == Frame(EVENT, 0, bytes([LEFT]) + _text("bob"))
        assert ann.call(SAY, b"gone?") == b"\x00said to 0"


def test_who_has_not_logged_in_is_called_by_the_connection(examples: Daemon) -> None:
    examples.start()
    with examples.connect() as one, examples.connect() as other:
        one.call(JOIN, b"hall")
        other.call(JOIN, b"hall")
        event = one.receive()
        own = "{}:{}".format(*other._socket.getsockname()[:2])
        rows = examples.ask("connections")["connections"]
        assert event.body == bytes([JOINED]) + _text(next(row["id"] for row in rows if row["peer"] == own))


def _account(name: str, password: str = PASSWORD) -> bytes:
    return _text(name) + _text(password)


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


@contextlib.contextmanager
def _logged_in(daemon: Daemon, listener: int, name: str) -> Iterator[FrameClient]:
    with daemon.connect(listener) as client:
        assert client.call(REGISTER, _account(name))[0] == DONE
        assert client.call(LOG_IN, _account(name))[0] == DONE
        yield client
