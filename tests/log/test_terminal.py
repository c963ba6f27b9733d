"""Records for somebody who sits before them."""

from __future__ import annotations

import logging
import os
import pty
import re
import sys

import pytest

from commscaffoldd.log.colours import ANSI, PLAIN, colours_for
from commscaffoldd.log.terminal import TerminalFormatter


def record(level: int, message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("commscaffoldd.core.handling", level, "x.py", 1, message, (), None)
    made.__dict__.update(extra)
    return made


def failed() -> logging.LogRecord:
    try:
        raise ValueError("no\x1b[2J")
    except ValueError:
        return record(logging.ERROR, "greet failed", exc_info=sys.exc_info())


def test_a_line_has_the_clock_the_process_the_connection_and_the_text() -> None:
    line = TerminalFormatter("worker 1", PLAIN).format(record(logging.INFO, "opened", connection="1-2.3"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} worker 1 \[1-2\.3\] opened", line)


def test_a_traceback_is_shown_as_python_shows_it_with_what_it_came_from_escaped() -> None:
    first, *rest = TerminalFormatter("worker 1", PLAIN).format(failed()).splitlines()
    assert first.endswith(" worker 1 error: greet failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert rest[-1] == "  ValueError: no\\x1b[2J"


def test_what_is_bad_is_red_and_so_is_what_was_raised() -> None:
    first, *_, last = TerminalFormatter("worker 1", ANSI).format(failed()).splitlines()
    assert f"{ANSI.bad}error: greet failed{ANSI.end}" in first
    assert last == f"  {ANSI.bad}ValueError: no\\x1b[2J{ANSI.end}"


def test_colours_are_for_terminals_whose_user_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    controller, terminal = pty.openpty()
    pipe, other = os.pipe()
    try:
        assert colours_for(terminal) == ANSI
        assert colours_for(other) == PLAIN
        monkeypatch.setenv("TERM", "dumb")
        assert colours_for(terminal) == PLAIN
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        assert colours_for(terminal) == PLAIN
    finally:
        for fd in (controller, terminal, pipe, other):
            os.close(fd)
