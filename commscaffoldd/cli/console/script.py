"""A console whose lines come from a file, a pipe, or a terminal without prompt_toolkit."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Iterable
from typing import Final

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.console.session import Session

_AHEAD: Final = 16  # lines read before they are needed


def standard_input() -> Iterable[bytes]:
    """Its lines, for a thread that may still read when the process ends: that must not hold a buffer's lock then."""
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except io.UnsupportedOperation:  # a stand-in, in memory
        return sys.stdin.buffer


async def run_script(session: Session, lines: Iterable[bytes]) -> int:
    """Obey line after line, each after the one before has its reply; returns the exit code.

    That is 0 only if every line went well. A connection that ends, ends the script.
    """
    ahead = _Lines(lines)
    failed = not await session.connect()
    while not failed or session.connected:
        line = await ahead.next()
        if line is None:
            break
        failed = not await session.obey(line) or failed
        sys.stdout.flush()
        if session.done:
            break
        if not session.connected:
            failed = True
    await session.close()
    return exit_codes.FAILURE if failed else 0


class _Lines:
    """Lines that a thread reads ahead: a file cannot be waited for, and what comes is shown meanwhile."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        threading.Thread(target=self._read, args=[lines], name="lines", daemon=True).start()

    async def next(self) -> str | None:
        """The next one; `None` after the last."""
        line = await self._queue.get()
        self._room.release()
        return line

    def _read(self, lines: Iterable[bytes]) -> None:
        with contextlib.suppress(RuntimeError):  # the console has ended before its lines
            for line in lines:
                self._room.acquire()
                self._loop.call_soon_threadsafe(self._queue.put_nowait, line.decode("utf-8", "surrogateescape"))
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)
