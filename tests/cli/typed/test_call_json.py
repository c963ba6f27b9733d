"""`call --json` and `call --format`, against a server that answers what it is sent."""

from __future__ import annotations

import pathlib

import msgspec
import pytest

from commscaffoldd.client import Frame
from commscaffoldd.core.layout import PRESETS
from tests.cli.control_server import control_server
from tests.cli.running import Run
from tests.client.frame_server import frame_server

STANDARD = PRESETS["standard"]


def echo(frame: Frame) -> bytes:
    return STANDARD.encode(*frame)


class Login(msgspec.Struct):
    user: str
    key: bytes


def listening(folder: pathlib.Path, address: str) -> None:
    """The configuration's daemon is the one at this address."""
    (folder / "c.toml").write_text(f'[daemon]\nrun_dir = "run"\n[[listen]]\naddress = "{address}"\n')


ROUTES = {
    "ok": True,
    "routes": [
        {
            "id": 5,
            "plugin": "account",
            "function": "Account.login",
            "doc": "Let somebody in.\n\nMore.",
            "body": {"format": "msgpack", "schema": msgspec.json.schema(Login)},
            "reply": {"format": "msgpack", "schema": None},
        },
        {"id": 6, "plugin": "echo", "function": "echo", "body": {"format": "bytes"}, "reply": {"format": "bytes"}},
    ],
}


def test_the_format_can_be_named(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("call", server.address, "1", '{"user": "bob"}', "--format", "msgpack")
    assert (result.exit_code, result.stdout) == (0, '{"user":"bob"}\n')
    assert server.received[0].body == msgspec.msgpack.encode({"user": "bob"})


def test_the_daemon_tells_the_types_of_its_messages(run: Run, folder: pathlib.Path) -> None:
    with frame_server(echo) as server, control_server(folder, ROUTES) as commands:
        listening(folder, server.address)
        result = run("call", server.address, "5", '{"user": "bob", "key": "gA=="}', "--json")
    assert commands == [{"command": "routes"}]
    assert msgspec.msgpack.decode(server.received[0].body, type=Login) == Login("bob", b"\x80")
    assert result.stdout == '{"user":"bob","key":"gA=="}\n'


def test_an_empty_body_stays_empty(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("call", server.address, "1", "--format", "json")
    assert (server.received[0].body, result.stdout) == (b"", "\n")


def test_json_comes_from_a_file_too(run: Run, folder: pathlib.Path) -> None:
    (folder / "body.json").write_text("[1, 2]")
    with frame_server(echo) as server:
        result = run("call", server.address, "1", f"@{folder}/body.json", "--format", "msgpack")
    assert result.stdout == "[1,2]\n"


@pytest.mark.parametrize("listens_here", [False, True])
def test_without_anybody_who_tells_the_format_is_asked_for(
    run: Run, folder: pathlib.Path, *, listens_here: bool
) -> None:
    with frame_server(echo) as server:
        if listens_here:  # and nobody answers at the control socket
            listening(folder, server.address)
        result = run("call", server.address, "1", "{}", "--json")
    assert result.exit_code == 1
    assert "name it by --format msgpack|json|str" in result.stderr
    assert server.received == []


def test_a_handler_that_takes_bytes_takes_no_json(run: Run, folder: pathlib.Path) -> None:
    with frame_server(echo) as server, control_server(folder, ROUTES):
        listening(folder, server.address)
        result = run("call", server.address, "6", "{}", "--json")
    assert result.exit_code == 1
    assert "message ID 6: its handler takes bytes" in result.stderr


@pytest.mark.parametrize("words", [("{", "--format", "json"), ("00", "--json", "--hex")])
def test_wrong_usage_is_said_before_anything_is_sent(run: Run, words: tuple[str, ...]) -> None:
    with frame_server(echo) as server:
        result = run("call", server.address, "1", *words)
    assert result.exit_code == 2
    assert server.received == []


def test_a_reply_that_is_something_else_is_said(run: Run) -> None:
    with frame_server(lambda frame: STANDARD.encode(frame.id, frame.sequence, b"\xc1")) as server:
        result = run("call", server.address, "1", "{}", "--format", "msgpack")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the reply is 1 bytes that are no MessagePack" in result.stderr


def test_a_message_that_nobody_handles_is_named_with_those_that_are(run: Run, folder: pathlib.Path) -> None:
    with frame_server(echo) as server, control_server(folder, ROUTES):
        listening(folder, server.address)
        result = run("call", server.address, "7", "--json", "{}")
    assert (result.exit_code, server.received) == (1, [])
    assert "the daemon has no handler for message ID 7; it has: 5 login, 6 echo" in result.stderr
