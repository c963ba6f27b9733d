"""The progress of a replay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TextIO

from commscaffoldd.cli.progress import progress_bar
from commscaffoldd.cli.units import number
from commscaffoldd.client.replay_plan import ReplayResult


@contextlib.contextmanager
def replay_progress(messages: int, stream: TextIO | None = None) -> Iterator[Callable[[ReplayResult], None]]:
    """Gives what shows the progress of a replay of so many messages; elsewhere than on a terminal, nothing."""
    with progress_bar(messages, stream) as show:
        yield lambda result: show(
            result.messages, f"{number(result.messages)} sent, {number(result.replies)} replies"
        )
