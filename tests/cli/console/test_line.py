from __future__ import annotations

import pathlib

import msgspec
import pytest

from commscaffoldd.cli.console.line import Command, Message, NotALine, parse_line
from commscaffoldd.cli.typed.body import BodyType
from commscaffoldd.cli.typed.known import KnownMessage

TYPED = KnownMessage(1002, "login", "account", body=BodyType("msgpack"))
RAW = KnownMessage(1003, "raw", "account", body=BodyType("bytes"))
UNTOLD = KnownMessage(1001, "greet", "greet")
KNOWN = {one.id: one for one in (TYPED, RAW, UNTOLD, KnownMessage(7, "say", "a"), KnownMessage(8, "say", "b"))}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1001", Message(1001, b"", True)),
        ("  1001 hello world \n", Message(1001, b"hello world", True)),
        ("0x2a hé", Message(42, "hé".encode(), True)),
        ("greet hello", Message(1001, b"hello", True)),
        ("1001 hex: 48 45", Message(1001, b"HE", True)),
        ("1001 text: hex: 48", Message(1001, b"hex: 48", True)),
        ('1001 {"a": 1}', Message(1001, b'{"a": 1}', True)),  # nobody tells that it is typed
        ('1002 {"a": 1}', Message(1002, msgspec.msgpack.encode({"a": 1}), True)),
        ('1002 text: {"a": 1}', Message(1002, b'{"a": 1}', True)),
        ('1003 {"a": 1}', Message(1003, b'{"a": 1}', True)),
        ("send 1001 x", Message(1001, b"x", False)),
    ],
)
def test_a_line_is_a_message(text: str, message: Message) -> None:
    assert parse_line(text, KNOWN, None) == message


def test_json_is_written_as_the_command_says_where_nobody_else_does() -> None:
    assert parse_line("1001 [1]", KNOWN, "msgpack") == Message(1001, b"\x91\x01", True)
    assert parse_line("1003 [1]", KNOWN, "msgpack") == Message(1003, b"[1]", True)


def test_a_file_is_its_content(tmp_path: pathlib.Path) -> None:
    (tmp_path / "body").write_bytes(b"\0\xff")
    assert parse_line(f"1 @{tmp_path}/body", KNOWN, None) == Message(1, b"\0\xff", True)
    with pytest.raises(OSError, match="nothing"):
        parse_line(f"1 @{tmp_path}/nothing", KNOWN, None)


@pytest.mark.parametrize("text", ["", "   ", "# 1001 hello"])
def test_some_lines_mean_nothing(text: str) -> None:
    assert parse_line(text, KNOWN, None) is None


def test_commands() -> None:
    assert parse_line("wait 2.5", KNOWN, None) == Command("wait", "2.5")
    assert parse_line("quit", KNOWN, None) == Command("quit", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "'hello' is no message ID and no command"),
        ("-1", "-1 is not a message ID"),
        ("99999999999999999999999", "is not a message ID"),
        ("say x", "say is the name of several: 7, 8"),
        ("1001 hex: zz", "not hex"),
        ("1002 {a", "not JSON"),
        ("send", "'' is no message ID"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(NotALine) as raised:
        parse_line(text, KNOWN, None)
    assert said in str(raised.value)
