"""Signals, turned into calls of the loop.

A Python signal handler may run between any two instructions. So ours do nothing; the interpreter writes each
signal's number to a socket (`signal.set_wakeup_fd`), and the loop reads it when it is the master's turn.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Final

from commscaffoldd.master.loop import READ, Loop

_CHUNK: Final = 4096
# What a forked child starts with, until it sets its own: the terminal's Ctrl-C goes to the whole group and is the
# master's business; the master's other signals mean nothing to a child.
_IN_CHILD: Final = {
    signal.SIGHUP: signal.SIG_IGN,
    signal.SIGINT: signal.SIG_IGN,
    signal.SIGUSR1: signal.SIG_IGN,
    signal.SIGUSR2: signal.SIG_IGN,
    signal.SIGTTIN: signal.SIG_IGN,
    signal.SIGTTOU: signal.SIG_IGN,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGCHLD: signal.SIG_DFL,
}


class Signals:
    """Calls a function of the loop for each signal that arrives; ignores SIGHUP and SIGPIPE.

    Made and closed by the main thread. `close` puts back what was there before.
    """

    def __init__(self, loop: Loop, actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
        self._loop = loop
        self._actions: dict[int, Callable[[], None]] = {int(number): action for number, action in actions.items()}
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        loop.watch(self._receiver.fileno(), READ, self._read)
        self._old_wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._old: dict[signal.Signals, Any] = {
            number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGPIPE)
        }
        for number in actions:
            self._old[number] = signal.signal(number, _nothing)
        # Whoever started us may have blocked some (a shell, a supervisor); blocked ones would never arrive.
        self._old_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())

    def fds(self) -> tuple[int, int]:
        """The descriptors that a forked child has to close."""
        return self._receiver.fileno(), self._sender.fileno()

    def close(self) -> None:
        """Put back the former handlers."""
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)
        self._loop.unwatch(self._receiver.fileno())
        self._receiver.close()
        self._sender.close()

    def _read(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in self._receiver.recv(_CHUNK):
                action = self._actions.get(number)
                if action is not None:
                    action()


@contextlib.contextmanager
def held_back() -> Iterator[set[int]]:
    """Within the block no signal arrives; gives the mask that holds without it.

    For the moment around fork: a signal that reaches the child before it has left the wakeup socket would be
    written there, and the master would take it for its own.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield {int(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def forget_in_child() -> None:
    """In a forked child: leave the master's wakeup socket, and start with plain handlers."""
    signal.set_wakeup_fd(-1)
    for number, handler in _IN_CHILD.items():
        signal.signal(number, handler)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler, because an ignored signal would not be written to the wakeup socket."""
