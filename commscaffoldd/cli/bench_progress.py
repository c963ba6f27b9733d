"""The progress of a bench."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TextIO

from commscaffoldd.cli.progress import progress_bar
from commscaffoldd.cli.units import number
from commscaffoldd.client.load import Progress


@contextlib.contextmanager
def bench_progress(seconds: float, stream: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Gives what shows the progress of a load that takes so many seconds; elsewhere than on a terminal, nothing."""
    with progress_bar(round(seconds * 1000), stream) as show:
        yield lambda progress: show(round(progress.seconds * 1000), describe(progress, seconds))


def describe(progress: Progress, seconds: float) -> str:
    """What stands behind the bar."""
    if progress.phase == "connecting":
        return f"connecting, {number(progress.connections)} open"
    elapsed = f"{min(progress.seconds, seconds):.1f} of {seconds:.1f} s"
    if progress.phase == "finishing":
        return f"{elapsed}, {progress.phase}"
    return f"{elapsed}, {progress.phase}, {number(round(progress.rate))} /s"
