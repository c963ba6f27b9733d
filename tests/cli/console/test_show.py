from __future__ import annotations

import msgspec
import pytest

from commscaffoldd.cli.console.show import body_lines


@pytest.mark.parametrize(
    ("body", "format_name", "shown"),
    [
        (b"", None, ["(empty)"]),
        ("hé".encode(), None, ["hé"]),
        (b"one\r\ntwo\n", None, ["one", "two"]),
        (b"17", None, ["17"]),
        (b'{ "a": 1 }', None, ['{"a":1}']),
        (b'{ "a": 1 }', "str", ['{ "a": 1 }']),
        (msgspec.msgpack.encode({"a": b"\xff"}), None, ['{"a":"/w=="}']),
        (msgspec.msgpack.encode(17), "msgpack", ["17"]),
        (b"\xff\x00", "msgpack", [f"00000000  {'ff 00':<48} |..|"]),
        (b"a\x1b[2J", None, [f"00000000  {'61 1b 5b 32 4a':<48} |a.[2J|"]),
    ],
)
def test_a_body_is_shown_as_what_it_is(body: bytes, format_name: str | None, shown: list[str]) -> None:
    assert body_lines(body, format_name) == shown


def test_what_is_long_is_on_several_lines_or_cut() -> None:
    wide = msgspec.json.encode({"name": "x" * 100, "more": [1]})
    assert body_lines(wide, "json")[0] == "{"
    lines = body_lines(b"x" * 5000, None)
    assert lines[-1] == "… 904 bytes more"


def test_text_in_json_cannot_reach_the_terminal() -> None:
    assert body_lines(msgspec.msgpack.encode(["\x9b2J\u202e"]), None) == ['["\\x9b2J\\u202e"]']
