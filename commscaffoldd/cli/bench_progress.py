"""The progress of a bench: a bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import click

from commscaffoldd.cli.units import number
from commscaffoldd.client.load import Progress


@contextlib.contextmanager
def progress_bar(seconds: float, stream: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Gives what shows the progress of a load that takes so many seconds; elsewhere than on a terminal, nothing."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _: None
        return
    text = ""

    def behind_the_bar(_: int | None) -> str:
        return text

    with click.progressbar(
        length=max(1, round(seconds * 1000)),
        show_eta=False,
        show_percent=False,
        item_show_func=behind_the_bar,
        file=stream,
    ) as bar:

        def show(progress: Progress) -> None:
            nonlocal text
            text = describe(progress, seconds)
            bar.pos = min(round(progress.seconds * 1000), bar.length or 0)
            bar.render_progress()

        yield show


def describe(progress: Progress, seconds: float) -> str:
    """What stands behind the bar."""
    if progress.phase == "connecting":
        return f"connecting, {number(progress.connections)} open"
    elapsed = f"{min(progress.seconds, seconds):.1f} of {seconds:.1f} s"
    if progress.phase == "finishing":
        return f"{elapsed}, {progress.phase}"
    return f"{elapsed}, {progress.phase}, {number(round(progress.rate))} /s"
