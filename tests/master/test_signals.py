"""Signals become calls of the loop."""

from __future__ import annotations

import os
import signal
from typing import Any

from commscaffoldd.master.signals import Signals, held_back


def test_a_signal_is_heard_in_the_loop_not_before(loop: Any) -> None:
    heard: list[str] = []
    signals = Signals(loop, {signal.SIGUSR1: lambda: heard.append("usr1")})
    os.kill(os.getpid(), signal.SIGUSR1)
    assert heard == []
    loop.until(lambda: heard)
    assert heard == ["usr1"]
    signals.close()


def test_sighup_is_ignored(loop: Any) -> None:
    signals = Signals(loop, {})
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    os.kill(os.getpid(), signal.SIGHUP)
    signals.close()


def test_close_puts_back_what_was_there(loop: Any) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR2)]
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    signals = Signals(loop, {signal.SIGUSR2: lambda: None})
    fds = signals.fds()
    signals.close()
    assert [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR2)] == before
    assert signal.set_wakeup_fd(wakeup) == wakeup
    for fd in fds:
        assert not os.path.exists(f"/proc/self/fd/{fd}")  # noqa: PTH110  # a link that leads nowhere is not there


def test_signals_blocked_by_whoever_started_us_are_let_through(loop: Any) -> None:
    heard: list[str] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        signals = Signals(loop, {signal.SIGUSR1: lambda: heard.append("usr1")})
        signal.raise_signal(signal.SIGUSR1)
        loop.until(lambda: heard)
        signals.close()
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_held_back_signals_arrive_afterwards(loop: Any) -> None:
    heard: list[str] = []
    signals = Signals(loop, {signal.SIGUSR1: lambda: heard.append("usr1")})
    with held_back() as mask:
        assert signal.SIGUSR1 not in mask
        signal.raise_signal(signal.SIGUSR1)  # to this thread: masks are each thread's own
        loop.turn(0)
        assert heard == []
    loop.until(lambda: heard)
    signals.close()
