from __future__ import annotations

import io

from commscaffoldd.cli.bench_progress import bench_progress, describe
from commscaffoldd.client.load import Progress

HALF = Progress("measuring", 2.75, 12_345.6, 50)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_time_and_rate() -> None:
    terminal = Terminal()
    with bench_progress(5.5, terminal) as show:
        show(HALF)
    assert "[##################------------------]  2.8 of 5.5 s, measuring, 12,346 /s" in terminal.getvalue()


def test_nothing_else_shows_anything() -> None:
    stream = io.StringIO()
    with bench_progress(5.5, stream) as show:
        show(HALF)
    assert stream.getvalue() == ""


def test_what_stands_behind_the_bar() -> None:
    assert describe(Progress("connecting", 0.0, 0.0, 1234), 5.5) == "connecting, 1,234 open"
    assert describe(Progress("finishing", 6.0, 0.0, 50), 5.5) == "5.5 of 5.5 s, finishing"
