"""What a record looks like."""

from __future__ import annotations

import json
import logging
import os
import re
import sys

import pytest

from commscaffoldd.log.escape import MAX_TEXT, escape
from commscaffoldd.log.formats import JsonFormatter, TextFormatter, formatter_for


def record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("commscaffoldd.core.heartbeat", logging.INFO, "x.py", 1, message, args, None)
    made.__dict__.update(extra)
    return made


def record_of_error() -> logging.LogRecord:
    made = record("handler failed")
    try:
        raise ValueError("bad\nline")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_a_text_line_has_time_level_pid_role_connection_logger_and_message() -> None:
    line = TextFormatter("worker 3").format(record("silent for %d s", 60, connection="3-17.2"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 INFO "
        rf"{os.getpid()} worker 3 \[3-17\.2\] commscaffoldd\.core\.heartbeat: silent for 60 s",
        line,
    )


def test_a_line_without_connection_says_so() -> None:
    assert " master [-] " in TextFormatter("master").format(record("ready"))


def test_every_line_of_a_traceback_has_the_prefix() -> None:
    lines = TextFormatter("worker 1").format(record_of_error()).split("\n")
    assert len(lines) >= 4
    prefix = lines[0].removesuffix("handler failed")
    assert all(line.startswith(prefix) for line in lines)
    assert lines[-1].endswith(": line")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("one\ntwo", "one\\ntwo"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x1b[31mred\x7f", "\\x1b[31mred\\x7f"),
        ("next\x85line\u2028", "next\\x85line\\u2028"),
        ("\ud800", "\\ud800"),
        ("\u202egnp", "\\u202egnp"),
        ("é, 中, 🙂 and \\ stay", "é, 中, 🙂 and \\ stay"),
    ],
)
def test_control_characters_are_escaped(raw: str, shown: str) -> None:
    assert escape(raw) == shown
    assert TextFormatter("master").format(record(raw)).endswith(f": {shown}")


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    assert escape("x" * (MAX_TEXT + 5)) == "x" * MAX_TEXT + "… (5 characters more)"


def test_a_wrong_log_call_is_shown_not_raised() -> None:
    assert "cannot be formatted" in TextFormatter("master").format(record("%d items", "no number"))


def test_json_is_one_object_with_all_keys() -> None:
    line = JsonFormatter("worker 2").format(record("over", connection="c"))
    assert "\n" not in line
    read = json.loads(line)
    assert read.pop("time").endswith("+00:00")
    assert read == {
        "level": "INFO",
        "pid": os.getpid(),
        "role": "worker 2",
        "connection": "c",
        "logger": "commscaffoldd.core.heartbeat",
        "message": "over",
        "exception": None,
    }


def test_json_carries_the_traceback_in_one_line() -> None:
    line = JsonFormatter("worker 2").format(record_of_error())
    assert "\n" not in line
    assert "ValueError: bad\nline" in json.loads(line)["exception"]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: text, json"):
        formatter_for("xml", "", 2)
