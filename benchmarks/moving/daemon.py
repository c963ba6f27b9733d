"""The daemon that is disturbed: a real one, in a folder of its own, driven by its own command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

PLUGIN: Final = """
import os
from commscaffoldd import handler

@handler(1)
def echo(request):
    return request.body + os.getpid().to_bytes(4)
"""
PATIENCE: Final = 60.0  # seconds for anything
LOOK: Final = 0.002  # seconds between two looks

T = TypeVar("T")


class BenchmarkError(Exception):
    """It cannot go on; str() says why."""


class Daemon:
    """A context manager: it runs inside."""

    def __init__(self, engine: str, workers: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="csb"))
        self._run = self._folder / "run"
        self._path = self._folder / "commscaffoldd.toml"
        self._workers = workers
        (self._folder / "plugins").mkdir()
        (self._folder / "plugins" / "echo.py").write_text(PLUGIN)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("COMMSCAFFOLDD_")}
        self._environment = own | {"COMMSCAFFOLDD_ENGINE": engine}
        self.configure()

    def __enter__(self) -> Self:
        """Start it."""
        self.command("start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and remove its folder."""
        with contextlib.suppress(BenchmarkError):
            self.command("stop", "--now")
        shutil.rmtree(self._folder, ignore_errors=True)

    def configure(self, max_age: float = 0.0) -> None:
        """Write the configuration; a reload makes it that of the workers."""
        self._path.write_text(
            f'[daemon]\nworkers = {self._workers}\nrun_dir = "{self._run}"\nmax_age = {max_age}\n'
            f'[[listen]]\naddress = "{self.address}"\n[plugins]\npath = ["plugins"]\n[flood]\nenabled = false\n'
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Run the command without waiting for it."""
        line = [sys.executable, "-m", "commscaffoldd", words[0], "--config", str(self._path), *words[1:]]
        return subprocess.Popen(
            line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=self._folder,
        )

    def command(self, *words: str) -> None:
        """Run the command. Raises BenchmarkError if it fails."""
        running = self.begin(*words)
        try:
            _, errors = running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()
            raise BenchmarkError(f"{' '.join(words)} took longer than {PATIENCE:g} s") from None
        if running.returncode:
            raise BenchmarkError(f"{' '.join(words)} failed: {errors.strip()}\n{self.log()[-2000:]}")

    def status(self) -> dict[str, Any]:
        """What the master tells at the control socket. Raises OSError if there is none."""
        with socket.socket(socket.AF_UNIX) as control, control.makefile("rb") as lines:
            control.settimeout(PATIENCE)
            control.connect(str(self._run / "control.sock"))
            control.sendall(b'{"command": "status"}\n')
            line = lines.readline()
        if not line:
            raise ConnectionResetError("the master ended")
        status: dict[str, Any] = json.loads(line)["status"]
        return status

    def ready(self) -> set[int]:
        """Pids of the workers that serve. Raises OSError."""
        return {one["pid"] for one in self.status()["workers"] if one["state"] == "ready"}

    def living(self) -> set[int]:
        """Pids of all workers. Raises OSError."""
        return {one["pid"] for one in self.status()["workers"]}

    @property
    def master(self) -> int:
        """The master's pid."""
        return int((self._run / "commscaffoldd.pid").read_text())

    def log(self) -> str:
        """All that it has logged."""
        return (self._run / "commscaffoldd.log").read_text()

    def is_whole(self) -> bool:
        """Whether all workers serve, and no other is left. Raises OSError."""
        return len(self.ready()) == self._workers == len(self.living())


def wait_for(what: str, condition: Callable[[], T]) -> T:
    """Wait until it is true; what it gave. Raises BenchmarkError."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"waited {PATIENCE:g} s for {what}")
        time.sleep(LOOK)
    return found


def kill(pid: int) -> bool:
    """SIGKILL; whether it was still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
