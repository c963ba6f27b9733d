"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import click


@contextlib.contextmanager
def progress_bar(length: int, stream: TextIO | None = None) -> Iterator[Callable[[int, str], None]]:
    """Gives what shows how far something has come, from 0 to `length`, and a text behind the bar.

    Elsewhere than on a terminal it shows nothing.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _position, _text: None
        return
    shown = ""

    def behind_the_bar(_: int | None) -> str:
        return shown

    with click.progressbar(
        length=max(1, length), show_eta=False, show_percent=False, item_show_func=behind_the_bar, file=stream
    ) as bar:

        def show(position: int, text: str) -> None:
            nonlocal shown
            shown = text
            bar.pos = min(position, bar.length or 0)
            bar.render_progress()

        yield show
