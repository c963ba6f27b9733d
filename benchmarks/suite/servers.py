"""Which servers are measured, and how each is started."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import tomli_w

from benchmarks.suite.processes import descendants

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0  # seconds that a server has to start, and to stop
_LISTENING: Final = re.compile(r"^listening (?:on 127\.0\.0\.1:)?(\d+)", re.MULTILINE)


class StartError(Exception):
    """A server does not start; says why in one line."""


@dataclasses.dataclass(frozen=True)
class Server:
    """One column of the comparison.

    Attributes:
        name: as in `--only`.
        title: for people.
        peer: the module below `benchmarks.servers`, `c-loop` for the C program, or "" for commscaffoldd.
        engine: of commscaffoldd.
        workers: of commscaffoldd.
        echo_id: the message ID whose handler echoes.
        compute_id: the message ID whose handler computes for 5 ms.
        everywhere: takes part in every scenario that names no servers.
    """

    name: str
    title: str
    peer: str = ""
    engine: str = ""
    workers: int = 1
    echo_id: int = 1
    compute_id: int = 2
    everywhere: bool = True


C_LOOP: Final = "c-loop"
YARDSTICK: Final = "uvloop"

SERVERS: Final = (
    Server(C_LOOP, "bare epoll loop in C", peer=C_LOOP),
    Server(YARDSTICK, "uvloop Protocol", peer="uvloop_protocol"),
    Server("asyncio", "asyncio Protocol", peer="asyncio_protocol"),
    Server("asyncio-streams", "asyncio streams", peer="asyncio_streams"),
    Server("gevent", "gevent StreamServer", peer="gevent_stream"),
    Server("twisted", "Twisted Protocol", peer="twisted_protocol"),
    Server("python-inline", "commscaffoldd, python engine, inline", engine="python", echo_id=1, compute_id=4),
    Server("python-pool", "commscaffoldd, python engine, pool", engine="python", echo_id=2, compute_id=3),
    Server("native-inline", "commscaffoldd, native engine, inline", engine="native", echo_id=1, compute_id=4),
    Server("native-pool", "commscaffoldd, native engine, pool", engine="native", echo_id=2, compute_id=3),
    Server(
        "native-mixed",
        "commscaffoldd, native engine, echo inline, computing in the pool",
        engine="native",
        echo_id=1,
        compute_id=3,
        everywhere=False,
    ),
    Server(
        "native-pool-2",
        "commscaffoldd, native engine, pool, 2 workers",
        engine="native",
        workers=2,
        echo_id=2,
        compute_id=3,
        everywhere=False,
    ),
    Server(
        "native-pool-4",
        "commscaffoldd, native engine, pool, 4 workers",
        engine="native",
        workers=4,
        echo_id=2,
        compute_id=3,
        everywhere=False,
    ),
)


class Running:
    """A server that has been started; `stop` it. A context manager that does.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
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
        except StartError:
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

    def __enter__(self) -> Running:
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
    """commscaffoldd's configuration: the defaults, but for what a load must not trip over."""
    return tomli_w.dumps(
        {
            "daemon": {"workers": server.workers, "run_dir": str(folder / "run")},
            "listen": [{"address": "127.0.0.1:0"}],
            "plugins": {"path": [str(ROOT / "benchmarks" / "plugins")]},
            "heartbeat": {"enabled": False},
            "flood": {"enabled": False},
        }
    )
