"""Starting and stopping servers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import tomli_w

from benchmarks.suite.processes import descendants
from benchmarks.suite.servers import C_LOOP, Server

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0  # seconds that a server has to start, and to stop
_LISTENING: Final = re.compile(r"^listening (?:on 127\.0\.0\.1:)?(\d+)", re.MULTILINE)


class StartError(Exception):
    """A server does not start; says why in one line."""


class Running:
    """A server that has been started; `stop` it. A context manager that does.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        """Start it, and wait until it listens. The folder is its own, and goes with it.

        Raises:
            StartError: it ended, or did not listen in time.
        """
        self._folder = folder
        self._output = folder / "output.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
                start_new_session=True,
            )
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self.stop()
            raise

    def pids(self) -> list[int]:
        """Its processes: a daemon's master and all its workers."""
        return [self._process.pid, *descendants(self._process.pid)]

    def stop(self) -> None:
        """End it and all its processes."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            text = self._output.read_text()
            if found := _LISTENING.search(text):
                return int(found[1])
            if self._process.poll() is not None:
                lines = text.strip().splitlines()
                raise StartError(lines[-1] if lines else f"ended with exit code {self._process.returncode}")
            time.sleep(0.01)
        raise StartError(f"did not listen within {PATIENCE:g} seconds")


def start(server: Server, programs: Path) -> Running:
    """Start a server. `programs` is the folder of the native programs.

    Raises:
        StartError: it does not start, with the reason in one line.
    """
    folder = Path(tempfile.mkdtemp(prefix="cs"))  # short: the path of a unix socket has at most 107 bytes
    if server.peer == C_LOOP:
        return Running([str(programs / "echo")], {}, folder)
    if server.peer:
        return Running([sys.executable, "-m", f"benchmarks.servers.{server.peer}"], {}, folder)
    path = folder / "commscaffoldd.toml"
    path.write_text(configuration(server, folder))
    command = [sys.executable, "-m", "commscaffoldd", "start", "--foreground", "--config", str(path)]
    return Running(command, {"COMMSCAFFOLDD_ENGINE": server.engine}, folder)


def configuration(server: Server, folder: Path) -> str:
    """The configuration of commscaffoldd: the defaults, but for what a load must not trip over."""
    return tomli_w.dumps(
        {
            "daemon": {"workers": server.workers, "run_dir": str(folder / "run")},
            "listen": [{"address": "127.0.0.1:0"}],
            "plugins": {"path": [str(ROOT / "benchmarks" / "plugins")]},
            "heartbeat": {"enabled": False},
            "flood": {"enabled": False},
        }
    )
