"""Forking a worker: the moment between the master's process and the worker's own code."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable

from commscaffoldd.core.counters import StatisticsRow
from commscaffoldd.master.generation import Generation
from commscaffoldd.master.lines import send_line
from commscaffoldd.master.signals import forget_in_child, held_back
from commscaffoldd.master.title import set_title
from commscaffoldd.worker.launch import Launch, ListenSocket

LOG = logging.getLogger(__name__)

_FAILED_TO_START = 3

RunWorker = Callable[[Launch], None]
"""What runs in the child; normally it never returns."""


class Spawner:
    """Forks workers.

    Args:
        run_worker: what the child runs.
        private_fds: the master's descriptors, of which the child keeps only its own listeners and the log.
    """

    def __init__(self, run_worker: RunWorker, private_fds: Callable[[], Iterable[int]]) -> None:
        self._run_worker = run_worker
        self._private_fds = private_fds

    def spawn(
        self, generation: Generation, number: int, slot: int, row: StatisticsRow
    ) -> tuple[int, socket.socket, socket.socket]:
        """Fork worker `number`, which gets the sockets of `slot`.

        Returns its pid and the master's ends of its channel and of the socket for orders. Raises OSError.
        """
        ours, theirs = socket.socketpair()
        try:
            our_orders, their_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            ours.close()
            theirs.close()
            raise
        our_orders.setblocking(False)
        try:
            # what is still buffered would be written twice, should the child flush
            sys.stdout.flush()
            sys.stderr.flush()
            with held_back() as mask:
                pid = os.fork()
                if pid == 0:
                    self._child(
                        generation=generation,
                        number=number,
                        slot=slot,
                        row=row,
                        channel=theirs,
                        orders=their_orders,
                        masters_ends={ours.fileno(), our_orders.fileno()},
                        mask=mask,
                    )
        except BaseException:
            ours.close()
            our_orders.close()
            raise
        finally:
            theirs.close()
            their_orders.close()
        return pid, ours, our_orders

    def _child(
        self,
        *,
        generation: Generation,
        number: int,
        slot: int,
        row: StatisticsRow,
        channel: socket.socket,
        orders: socket.socket,
        masters_ends: set[int],
        mask: Iterable[int],
    ) -> None:
        """Never returns: a child that came back would be a second master."""
        try:
            forget_in_child()
            sockets = [ListenSocket(*pair) for pair in generation.listeners.for_worker(slot)]
            kept = {one.socket.fileno() for one in sockets} | {
                generation.log.fileno(),
                channel.fileno(),
                orders.fileno(),
            }
            _close({*self._private_fds(), *masters_ends} - kept)
            generation.log.install(f"worker {number}")
            set_title(f"worker {number}")
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._run_worker(
                Launch(
                    number=number,
                    config=generation.config,
                    sockets=sockets,
                    channel=channel,
                    orders=orders,
                    log=generation.log,
                    statistics=row,
                    accept_lock=generation.accept_lock,
                )
            )
        except BaseException as error:  # standard error leads nowhere in a daemon: log and channel are all there is
            LOG.exception("the worker ended by an unexpected error")
            text = f"worker {number}: unexpected {type(error).__name__}: {error}"
            send_line(channel, {"event": "failed", "kind": "start", "errors": [text]})
        finally:
            # never exit(): the master's clean-up (pidfile, atexit) is not ours
            os._exit(_FAILED_TO_START)


def _close(fds: Iterable[int]) -> None:
    # The numbers, not the objects: these stay referenced by the frames below us until _exit, so nothing can close
    # a number a second time after it was given to something else.
    for fd in fds:
        if fd > 2:  # noqa: PLR2004  # standard streams stay
            os.close(fd)
