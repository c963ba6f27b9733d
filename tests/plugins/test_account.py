from __future__ import annotations

import concurrent.futures
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import WorkerInfo, load_plugins
from tests.plugins.conftest import ALL, PLUGINS, Client, Worker

REGISTER, LOGIN = 5, 6
OK, NAME_TAKEN, WRONG, MALFORMED, TOO_MANY, NOT_AVAILABLE = range(6)


def body(name: str, password: str) -> bytes:
    parts = [text.encode() for text in (name, password)]
    return b"".join(bytes([len(part)]) + part for part in parts)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"database": str(tmp_path / "a.sqlite3"), "scrypt_n": 16, "scrypt_p": 1, "min_password": 3}


@pytest.fixture
def account(worker: Callable[..., Worker], settings: dict[str, Any]) -> Worker:
    return worker("account", settings)


def test_register_and_log_in(account: Worker) -> None:
    client = Client("1.0.1")

    assert account.ask(client, REGISTER, body("ann", "secret")) == b"\x00registered"
    assert client.session.get("user") is None
    assert account.ask(client, LOGIN, body("ann", "secret")) == b"\x00welcome, ann"
    assert client.session == {"user": "ann"}


def test_another_worker_knows_the_account_and_so_does_a_later_one(
    worker: Callable[..., Worker], settings: dict[str, Any]
) -> None:
    one, two = worker("account", settings), worker("account", settings)

    one.ask(Client("1.0.1"), REGISTER, body("ann", "secret"))

    assert two.ask(Client("2.0.1"), LOGIN, body("ann", "secret"))[0] == OK
    assert two.ask(Client("2.0.1"), REGISTER, body("ann", "other"))[0] == NAME_TAKEN


def test_wrong_name_and_wrong_password_are_told_the_same(account: Worker) -> None:
    account.ask(Client("1.0.1"), REGISTER, body("ann", "secret"))

    answers = {account.ask(Client("1.1.1"), LOGIN, body(*pair)) for pair in [("ann", "x"), ("bob", "secret")]}

    assert answers == {b"\x02wrong name or password"}


def test_an_unknown_name_is_hashed_too(account: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    calls = []

    def noted(password: bytes, *, n: int, **parameters: Any) -> bytes:
        calls.append(n)
        return scrypt(password, n=n, **parameters)

    scrypt = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", noted)

    account.ask(Client("1.0.1"), LOGIN, body("nobody", "secret"))

    assert calls == [16]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the name is missing"),
        (b"\x00", "the name is empty"),
        (b"\x05ann", "the name should have 5 bytes, 3 are there"),
        (b"\x03ann", "the password is missing"),
        (b"\x03ann\x00", "the password is empty"),
        (b"\x03ann\x06secret!", "1 bytes too many after the password"),
        (b"\x01\xff\x06secret", "the name is not UTF-8"),
        (body("a\nb", "secret"), "a name has no control characters, and no spaces around it"),
        (body(" ann", "secret"), "a name has no control characters, and no spaces around it"),
        (body("a" * 65, "secret"), "a name has at most 64 characters"),
        (body("ann", "se"), "a password has at least 3 characters"),
    ],
)
def test_malformed_bodies(account: Worker, data: bytes, why: str) -> None:
    assert account.ask(Client("1.0.1"), REGISTER, data) == b"\x03" + why.encode()


def test_attempts_of_one_connection_are_limited(worker: Callable[..., Worker], settings: dict[str, Any]) -> None:
    account = worker("account", {**settings, "attempts": 2})
    client = Client("1.0.1")
    account.ask(client, REGISTER, body("ann", "secret"))
    account.ask(client, LOGIN, body("ann", "secret"))  # starts the count again

    statuses = [account.ask(client, LOGIN, body("ann", "guess"))[0] for _ in range(3)]

    assert statuses == [WRONG, WRONG, TOO_MANY]
    assert account.ask(Client("1.1.1"), LOGIN, body("ann", "secret"))[0] == OK


def test_one_name_in_two_unicode_forms_is_one_account(account: Worker) -> None:
    account.ask(Client("1.0.1"), REGISTER, body("e\u0301va", "secret"))

    assert account.ask(Client("1.0.1"), LOGIN, body("\u00e9va", "secret"))[0] == OK


def test_of_many_that_register_one_name_one_wins(worker: Callable[..., Worker], settings: dict[str, Any]) -> None:
    workers = [worker("account", settings) for _ in range(3)]
    together = threading.Barrier(9)

    def register(number: int) -> int:
        together.wait(10)
        request = body("ann", f"secret {number}")
        return workers[number % 3].ask(Client(f"1.{number}.1"), REGISTER, request)[0]

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        statuses = sorted(pool.map(register, range(9)))

    assert statuses == [OK] + [NAME_TAKEN] * 8


def test_passwords_are_not_in_the_file_and_equal_ones_look_different(
    account: Worker, settings: dict[str, Any]
) -> None:
    for name in ["ann", "bob"]:
        account.ask(Client("1.0.1"), REGISTER, body(name, "secret"))

    database = Path(settings["database"])
    kept = b"".join(file.read_bytes() for file in database.parent.iterdir())
    connection = sqlite3.connect(database)
    digests = {row[0] for row in connection.execute("SELECT digest FROM account")}
    connection.close()

    assert b"ann" in kept
    assert b"secret" not in kept
    assert len(digests) == 2
    assert [file.stat().st_mode & 0o777 for file in database.parent.iterdir()] == [0o600] * 3


def test_old_accounts_survive_a_change_of_cost(worker: Callable[..., Worker], settings: dict[str, Any]) -> None:
    worker("account", settings).ask(Client("1.0.1"), REGISTER, body("ann", "secret"))

    later = worker("account", {**settings, "scrypt_n": 64})

    assert later.ask(Client("1.0.1"), LOGIN, body("ann", "secret"))[0] == OK


def test_a_locked_database_is_told_and_logged(
    worker: Callable[..., Worker], settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    account = worker("account", {**settings, "busy_timeout": 0.05})
    other = sqlite3.connect(settings["database"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        reply = account.ask(Client("1.0.1"), REGISTER, body("ann", "secret"))
    finally:
        other.close()

    assert reply == b"\x05not available now, try again later"
    assert "database is locked" in caplog.text
    assert account.ask(Client("1.0.1"), REGISTER, body("ann", "secret"))[0] == OK


def test_workers_that_start_together_on_a_new_file_all_start(tmp_path: Path, settings: dict[str, Any]) -> None:
    script = f"""
import sys
from pathlib import Path
from commscaffoldd.plugin.host import WorkerInfo, load_plugins
host = load_plugins([Path({str(PLUGINS)!r})], ["chat", "echo"], {{"account": {settings!r}}})
print(flush=True)
sys.stdin.read()
host.worker_started(WorkerInfo(1, 4711))
host.worker_stopping(WorkerInfo(1, 4711))
"""
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=PLUGINS.parent)
        for command in [[sys.executable, "-c", script]] * 6
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # it is ready
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None  # or communicate() would flush it

    failures = [child.communicate(timeout=30)[1].decode() for child in children]

    assert failures == [""] * 6
    assert (tmp_path / "a.sqlite3").is_file()


def test_a_start_while_another_writes_the_new_file_waits_for_it(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(settings["database"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # not in WAL mode yet: SQLite does not wait for this by itself
    waits = []

    def other_is_done(seconds: float) -> None:
        waits.append(seconds)
        other.close()

    monkeypatch.setattr(time, "sleep", other_is_done)
    host = load_plugins([PLUGINS], ALL - {"account"}, {"account": settings})

    host.worker_started(WorkerInfo(1, 4711))
    host.worker_stopping(WorkerInfo(1, 4711))

    assert len(waits) == 1


def refusal(settings: dict[str, Any]) -> str:
    """What the daemon says when it does not start."""
    with pytest.raises(PluginErrors) as caught:
        load_plugins([PLUGINS], ALL - {"account"}, {"account": settings}).self_test()
    (error,) = caught.value.errors
    assert error.plugin == "account"
    assert error.file is not None
    assert error.line
    return error.reason


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"databse": "x"}, 'plugin.account.databse: unknown key; did you mean "database"?'),
        ({"attempts": "many"}, 'plugin.account.attempts: found "many"; allowed: an integer at least 1'),
        ({"database": "account.sqlite3"}, "an absolute path is needed, such as /var/lib/commscaffoldd/"),
        ({"scrypt_n": 1000}, "a power of two is needed"),
        ({"scrypt_n": 65536, "scrypt_r": 1}, "at most 32768"),
        ({"scrypt_n": 1 << 20}, "take 1024 MiB for every login: at most 256 are allowed"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginErrors) as caught:
        load_plugins([PLUGINS], ALL - {"account"}, {"account": wrong})

    (error,) = caught.value.errors
    assert error.key[:2] == ("plugin", "account")
    assert text in error.reason


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal({"database": str(tmp_path / "gone" / "a.sqlite3")}) == (
        f"self_test failed: StoreError: the database {tmp_path}/gone/a.sqlite3 cannot be used: there is no folder "
        f"{tmp_path}/gone: make it, or set `database` to another path"
    )


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite3").write_text("these are not the bytes that you are looking for" * 100)

    assert refusal({"database": str(tmp_path / "a.sqlite3")}).endswith("file is not a database")


def test_the_self_test_makes_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    load_plugins([PLUGINS], ALL - {"account"}, {"account": settings}).self_test()

    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_made_for_this_user_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state:/other")
    host = load_plugins([PLUGINS], ALL - {"account"}, {})

    host.self_test()
    host.worker_started(WorkerInfo(1, 4711))
    host.worker_stopping(WorkerInfo(1, 4711))

    assert (tmp_path / "state" / "account.sqlite3").is_file()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_where_the_database_lies_without_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plugins.account import settings

    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr(settings, "SYSTEM_FOLDER", tmp_path / "lib")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert settings.default_folder() == tmp_path / ".local/state/commscaffoldd"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert settings.default_folder() == tmp_path / "xdg/commscaffoldd"
    (tmp_path / "lib").mkdir()
    assert settings.default_folder() == tmp_path / "lib"
