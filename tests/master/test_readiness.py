"""The pipe between a daemon and the command that waits for it."""

from __future__ import annotations

import os

from commscaffoldd.master.readiness import Failed, Ready, readiness_pipe


def test_ready_comes_with_pid_and_addresses() -> None:
    waiter, announcer = readiness_pipe()
    announcer.started()
    announcer.announce(Ready(os.getpid(), ("127.0.0.1:9000",), (1, 2), ("compact",)))
    outcome = waiter.wait(20)
    assert outcome.word == Ready(os.getpid(), ("127.0.0.1:9000",), (1, 2), ("compact",))
    assert outcome.pid == os.getpid()
    waiter.close()


def test_failure_comes_with_reasons() -> None:
    waiter, announcer = readiness_pipe()
    announcer.announce(Failed(("one", "two" * 10_000), 78))
    assert waiter.wait(20).word == Failed(("one", "two" * 10_000), 78)
    waiter.close()


def test_the_end_without_a_word_is_the_end_of_the_daemon() -> None:
    waiter, announcer = readiness_pipe()
    announcer.started()
    announcer.close()
    outcome = waiter.wait(20)
    assert (outcome.word, outcome.pid, outcome.timed_out) == (None, os.getpid(), False)
    waiter.close()


def test_waiting_is_bounded() -> None:
    waiter, announcer = readiness_pipe()
    announcer.started()
    outcome = waiter.wait(0.02)
    assert outcome.timed_out
    assert outcome.pid == os.getpid()
    announcer.close()
    waiter.close()


def test_a_command_that_no_longer_waits_is_no_error() -> None:
    waiter, announcer = readiness_pipe()
    waiter.close()
    announcer.announce(Failed(("one",), 1))
    announcer.announce(Failed(("again",), 1))
    assert announcer.fileno() == -1
