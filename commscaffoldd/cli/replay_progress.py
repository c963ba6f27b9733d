"""The progress of a replay: a bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import click

from commscaffoldd.cli.units import number
from commscaffoldd.client.replay_plan import ReplayResult


@contextlib.contextmanager
def progress_bar(messages: int, stream: TextIO | None = None) -> Iterator[Callable[[ReplayResult], None]]:
    """Gives what shows the progress of a replay of so many messages; elsewhere than on a terminal, nothing."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _: None
        return
    text = ""

    def behind_the_bar(_: int | None) -> str:
        return text

    with click.progressbar(
        length=messages, show_eta=False, show_percent=False, item_show_func=behind_the_bar, file=stream
    ) as bar:

        def show(result: ReplayResult) -> None:
            nonlocal text
            text = f"{number(result.messages)} sent, {number(result.replies)} replies"
            bar.pos = result.messages
            bar.render_progress()

        yield show
