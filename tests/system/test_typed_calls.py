"""`call --json` and `console` against typed handlers: the daemon tells the types, a person writes JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.conftest import NewDaemon
from tests.system.daemon import PATIENCE, PROGRAM, Daemon

ACCOUNT = """
    import datetime as dt
    from msgspec import Struct
    from commscaffoldd import Refuse, handler

    class Login(Struct):
        user: str
        key: bytes

    class Welcome(Struct):
        token: bytes
        since: dt.datetime

    @handler(1002)
    def login(request, body: Login) -> Welcome:
        if body.user == "eve":
            raise Refuse(1000, "not you")
        return Welcome(body.key * 2, dt.datetime(2026, 1, 2, tzinfo=dt.UTC))

    @handler(1003, format="json")
    def count(request, body: list[int]) -> int:
        return len(body)

    @handler(1004)
    def shout(request, body: str) -> str:
        return body.upper()
    """
BOB = '{"user": "bob", "key": "gAE="}'


@pytest.fixture(scope="module")
def account(new_shared_daemon: NewDaemon) -> Iterator[Daemon]:
    daemon = new_shared_daemon()
    daemon.plugin("account", ACCOUNT)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize(
    ("message_id", "body", "reply"),
    [
        ("1002", BOB, {"token": "gAGAAQ==", "since": "2026-01-02T00:00:00Z"}),
        ("1003", "[1, 2, 3]", 3),
        ("1004", '"hé"', "HÉ"),
    ],
)
def test_json_is_turned_into_what_the_handler_takes(
    account: Daemon, message_id: str, body: str, reply: object
) -> None:
    done = account.command("call", account.address(), message_id, "--json", body)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == reply


def test_what_does_not_fit_is_the_daemons_error_with_the_field(account: Daemon) -> None:
    done = account.command("call", account.address(), "1002", "--json", '{"user": 5, "key": ""}')
    assert done.code == 1
    assert "error 2 (bad body): " in done.err
    assert "user: Expected `str`, got `int`" in done.err


def test_text_for_a_message_that_has_a_type_gets_a_hint(account: Daemon) -> None:
    done = account.command("call", account.address(), "1002", "bob")
    assert done.code == 1
    assert done.err.endswith("login takes msgpack: give BODY as JSON, with --json\n")


def test_a_script_of_typed_messages(account: Daemon) -> None:
    done = subprocess.run(
        [*PROGRAM, "console", account.address(), "--config", str(account.path)],
        input=f'login {BOB}\nlogin {{"user": "eve", "key": ""}}\n1003 []\n1004 "x"\n1004 text: y\n',
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=account.environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")  # eve was refused
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        '{"token":"gAGAAQ==","since":"2026-01-02T00:00:00Z"}',
        "error 1000: not you",
        "0",
        "X",
        "Y",
    ]
