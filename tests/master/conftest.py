"""Fixtures: a loop that is turned until something holds, short folders, whole daemons with made-up workers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from commscaffoldd.master import control_client
from commscaffoldd.master.loop import Loop
from commscaffoldd.master.pidfile import running_pid
from tests.master.fleet_rig import FleetRig

SCRIPT = Path(__file__).with_name("fake_daemon.py")
WITHIN = 20.0


def eventually(condition: Callable[[], Any], within: float = WITHIN) -> Any:
    """The condition's value once it is true; asks again and again, since what is awaited is another process."""
    end = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {within} s: {condition}"
        time.sleep(0.01)
    return value


class TestLoop(Loop):
    """A loop that a test turns."""

    __test__ = False

    def until(self, condition: Callable[[], Any], within: float = WITHIN) -> None:
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, f"not within {within} s"
            self.turn(0.05)


class Daemon:
    """A daemon whose workers are made up, driven from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "c.toml"
        self.run_dir = folder / "run"
        self.control = self.run_dir / "control.sock"
        self.pidfile = self.run_dir / "commscaffoldd.pid"
        self.foreground: subprocess.Popen[str] | None = None
        self.configure()

    def configure(
        self,
        workers: int = 2,
        daemon: str = "",
        listen: str = 'address = "127.0.0.1:0"',
        fake: str = "",
        rest: str = "",
    ) -> None:
        times = "" if "timeout" in daemon else "stop_timeout = 5.0\nstart_timeout = 10.0\n"
        plugins = self.folder / "plugins"
        plugins.mkdir(exist_ok=True)
        self.config.write_text(
            f'[daemon]\nworkers = {workers}\nrun_dir = "{self.run_dir}"\n{times}{daemon}\n'
            f'[[listen]]\n{listen}\n[plugins]\npath = ["plugins"]\n[plugin.fake]\n{fake}\n{rest}\n'
        )

    def start(self, environment: dict[str, str] | None = None) -> dict[str, Any]:
        """Start it in the background; the LaunchResult as a dict."""
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "start", str(self.config)],
            capture_output=True,
            text=True,
            timeout=WITHIN + 10,
            check=False,
            env=os.environ | (environment or {}),
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def start_foreground(self, environment: dict[str, str] | None = None) -> dict[str, Any]:
        """Start it in the foreground; the first line that it says: {"ready": …} or {"failed": …}."""
        self.start_foreground_quietly(environment)
        assert self.foreground is not None
        assert self.foreground.stdout is not None
        line: dict[str, Any] = json.loads(self.foreground.stdout.readline())
        return line

    def start_foreground_quietly(self, environment: dict[str, str] | None = None) -> None:
        """Start it in the foreground, and do not wait for what it says."""
        with (self.folder / "stderr").open("w") as stderr:
            self._popen(stderr, environment)

    def _popen(self, stderr: IO[str], environment: dict[str, str] | None) -> None:
        self.foreground = subprocess.Popen(
            [sys.executable, str(SCRIPT), "foreground", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | (environment or {}),
        )

    def wait(self) -> int:
        """The exit code of the daemon in the foreground."""
        assert self.foreground is not None
        return self.foreground.wait(WITHIN)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.progress: list[str] = []
        return control_client.request(self.control, {"command": command, **arguments}, WITHIN, self.progress.append)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask("status")["status"]
        return status

    def pids(self, state: str = "ready") -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == state]

    def log(self) -> str:
        file = self.run_dir / "commscaffoldd.log"
        return (self.folder / "stderr").read_text() if self.foreground else file.read_text()

    def clean_up(self) -> None:
        if self.foreground is not None:
            self.foreground.kill()
            self.foreground.wait()
            assert self.foreground.stdout is not None
            self.foreground.stdout.close()
        pid = running_pid(self.pidfile)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as unix sockets need it."""
    made = Path(tempfile.mkdtemp(prefix="cs"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def rig(loop: TestLoop, folder: Path) -> Iterator[FleetRig]:
    """A fleet, all of whose workers are ended at the end."""
    made = FleetRig(loop, folder)
    yield made
    made.end()


@pytest.fixture
def daemon(folder: Path) -> Iterator[Daemon]:
    made = Daemon(folder)
    yield made
    made.clean_up()


@pytest.fixture
def loop() -> TestLoop:
    return TestLoop()


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    return eventually
