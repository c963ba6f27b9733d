"""The master's side of a canary: waits for its report and its end, within bounds."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from commscaffoldd.log import LogFile
from commscaffoldd.master.children import Children
from commscaffoldd.master.loop import READ, Loop
from commscaffoldd.master.signals import held_back

_CHUNK: Final = 65536
_MAX_REPORT: Final = 64 << 20


class Canary(Protocol):
    """A canary process and the descriptor that its report comes from."""

    @property
    def pid(self) -> int:
        """The child."""

    @property
    def fd(self) -> int:
        """Where to read; the caller closes it."""

    def timed_out(self) -> Report:
        """The report on a canary that was killed for its slowness."""


class Report(Protocol):
    """What a canary found. `config_text` is the configuration that it checked."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""

    @property
    def errors(self) -> list[str]:
        """Everything that is wrong."""

    @property
    def config_text(self) -> str:
        """The text of the configuration file, as the canary read it."""

    @property
    def replayed(self) -> int:
        """Messages of a capture that were played."""

    @property
    def skipped(self) -> int:
        """Messages of it that could not be, for want of a login."""


class CanaryCode(Protocol):
    """The worker package's part of a canary."""

    def fork_canary(
        self, path: Path, log: LogFile, close_fds: Iterable[int], replay: Path | None, timeout: float
    ) -> Canary:
        """Fork it."""

    def read_report(self, data: bytes, wait_status: int) -> Report:
        """Understand what it wrote and how it ended."""


class CanaryWatch:
    """Runs one canary; calls `done` once with the report on it."""

    def __init__(self, loop: Loop, children: Children, code: CanaryCode, done: Callable[[Report], None]) -> None:
        self._loop = loop
        self._children = children
        self._code = code
        self._done = done
        self._data = bytearray()
        self._canary: Canary | None = None
        self._fd = -1
        self._too_slow = False

    def fds(self) -> list[int]:
        """The descriptor that other children have to close."""
        return [self._fd] if self._fd >= 0 else []

    def start(
        self, path: Path, log: LogFile, close_fds: Iterable[int], timeout: float, replay: Path | None = None
    ) -> None:
        """Fork the canary, to play a capture perhaps; it has `timeout` seconds. Raises OSError."""
        master = os.getpid()
        try:
            with held_back():
                canary = self._code.fork_canary(path, log, close_fds, replay, timeout)
        finally:
            if os.getpid() != master:
                os._exit(1)  # a child that comes back here, by whatever fault, would be a second master
        self._canary = canary
        self._fd = canary.fd
        os.set_blocking(self._fd, False)
        self._loop.watch(self._fd, READ, self._read)
        self._timer = self._loop.call_later(timeout, self._give_up)
        self._children.add(canary.pid, self._ended)

    def kill(self) -> None:
        """End it; `done` follows."""
        if self._canary is not None:
            self._children.kill(self._canary.pid, signal.SIGKILL)

    def _give_up(self) -> None:
        self._too_slow = True
        self.kill()

    def _read(self, _events: int) -> None:
        try:
            while data := os.read(self._fd, _CHUNK):
                self._data += data
                if len(self._data) > _MAX_REPORT:
                    self._give_up()
                    break
        except BlockingIOError:
            return
        self._loop.unwatch(self._fd)  # the end; what the process itself does is told by its wait status

    def _ended(self, status: int) -> None:
        # Not the stream's end but the process's: something that a plugin started may hold the stream open for ever.
        if not self._too_slow:
            self._read(READ)
        self._loop.unwatch(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._timer.cancel()
        assert self._canary is not None
        report = self._code.read_report(bytes(self._data), status)
        self._done(self._canary.timed_out() if self._too_slow else report)
