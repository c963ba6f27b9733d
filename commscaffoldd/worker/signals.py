"""Signals of a worker. The master coordinates: most are not for workers."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from typing import Final

KILLED_AT_ONCE: Final = 131  # 128 + SIGQUIT: what a shell would say

DUMP_STACKS: Final = signal.SIGURG
"""Has a worker write its threads' stacks to the log. Nothing else uses it, and by default it does nothing at all."""

# SIGHUP is ignored, in master and workers. A terminal sends SIGINT to the whole group: the master stops us.
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE)


def reset_signals() -> None:
    """Forget the master's handlers; called first in a forked child, while nothing else runs."""
    signal.set_wakeup_fd(-1)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def dump_stacks_to(log: int) -> None:
    """Let `DUMP_STACKS` write the Python stacks of all threads to this descriptor.

    It works whatever the threads do, also while one keeps the GIL: the signal handler itself, in C, writes them.
    """
    faulthandler.register(DUMP_STACKS, file=log, all_threads=True, chain=False)


def install_handlers(stop: Callable[[], None], reopen: Callable[[], object]) -> None:
    """Handle SIGTERM (finish and go), SIGQUIT (go at once) and SIGUSR1 (reopen the log). The main thread."""
    signal.signal(signal.SIGTERM, lambda *_: stop())
    signal.signal(signal.SIGQUIT, lambda *_: os._exit(KILLED_AT_ONCE))
    signal.signal(signal.SIGUSR1, lambda *_: reopen())
