"""A real daemon for a test: its folder, its configuration, its plugins, and the command that drives it."""

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
import uuid
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, Final, NamedTuple

import tomli_w

from commscaffoldd.client.frame_client import FrameClient
from commscaffoldd.core.engine import VARIABLE as ENGINE
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.master import control_client
from commscaffoldd.master.control_client import NotRunning
from tests.system import processes
from tests.system.ports import Ports, is_free
from tests.system.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "plugins"
PROGRAM: Final = (sys.executable, "-m", "commscaffoldd")
AS_NOBODY: Final = (sys.executable, "-P", str(Path(__file__).with_name("as_nobody.py")))
"""The command, started by root, as another user."""
PATIENCE: Final = 45.0  # seconds that a command may take on a busy machine

Config = dict[str, Any]


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Daemon:
    """One daemon with a folder of its own. Its processes are known by a variable in their environment.

    Attributes:
        folder: short, because the path of a unix socket has at most 107 bytes.
        config: the configuration as it is written; change it and call `configure`.
        foreground: the process of `start_foreground`.
    """

    def __init__(self, ports: Ports) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cs"))
        self.folder.chmod(0o755)  # for the tests that change the user
        self.run_dir = self.folder / "run"
        self.plugins = self.folder / "plugins"
        self.plugins.mkdir()
        self.path = self.folder / "commscaffoldd.toml"
        self.pidfile = self.run_dir / "commscaffoldd.pid"
        self.control_socket = self.run_dir / "control.sock"
        self.foreground: subprocess.Popen[bytes] | None = None
        self.ports = ports
        self._mark = f"COMMSCAFFOLDD_TEST={uuid.uuid4().hex}"
        self._used_ports: set[int] = set()
        self.config: Config = {
            "daemon": {"workers": 1, "run_dir": str(self.run_dir), "stop_timeout": 5.0, "start_timeout": 20.0},
            "listen": [{"address": self.free_address()}],
            "plugins": {"path": [str(self.plugins)]},
            # The tests' clients may send as fast as they can, for as long as a busy machine needs.
            "flood": {"rate": 1_000_000.0, "burst": 1_000_000},
        }
        self.plugin("echo", (EXAMPLES / "echo" / "__init__.py").read_text())
        self.configure()

    # -- files ---------------------------------------------------------------------------------------------

    def configure(self, **sections: Any) -> None:
        """Write the configuration, with these sections' keys changed; a list, as `listen` is, is replaced."""
        for name, value in sections.items():
            if isinstance(value, Mapping):
                self.config.setdefault(name, {}).update(value)
            else:
                self.config[name] = value
        self.path.write_text(tomli_w.dumps(self.config))

    def plugin(self, name: str, source: str) -> Path:
        """Write a plugin of one file."""
        path = self.plugins / f"{name}.py"
        path.write_text(dedent(source))
        return path

    def free_address(self) -> str:
        """A TCP address at which nobody listens, kept for this test."""
        port = self.ports.take()
        self._used_ports.add(port)
        return f"127.0.0.1:{port}"

    def unix_address(self, name: str) -> str:
        """A unix address in this daemon's folder."""
        return f"unix:{self.folder / name}"

    @property
    def log_path(self) -> Path:
        """Where it logs when daemonised, unless configured."""
        return self.run_dir / "commscaffoldd.log"

    def log(self) -> str:
        """The log."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text()
        return ""

    def log_lines(self, *parts: str) -> list[str]:
        """The log's lines that contain all of these."""
        return [line for line in self.log().splitlines() if all(part in line for part in parts)]

    # -- the command ---------------------------------------------------------------------------------------

    def command(self, *words: str, program: tuple[str, ...] = PROGRAM) -> Done:
        """Run the command with this daemon's configuration, and wait for it."""
        line = (*program, words[0], "--config", str(self.path), *words[1:])
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=self.environment(),
            cwd=self.folder,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Run the command without waiting for it."""
        line = (*PROGRAM, words[0], "--config", str(self.path), *words[1:])
        return subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(), cwd=self.folder
        )

    def start(self, program: tuple[str, ...] = PROGRAM) -> Done:
        """Start it; it must succeed."""
        done = self.command("start", program=program)
        assert done.code == 0, (done.err, self.log())
        return done

    def start_foreground(
        self, program: tuple[str, ...] = PROGRAM, pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start it in the foreground, in a session of its own; its standard error goes to `foreground_text`."""
        process = self.begin_foreground(program, pass_fds)
        wait_until(lambda: "try it:" in self.foreground_text() or process.poll() is not None, what="the foreground")
        return process

    def begin_foreground(
        self,
        program: tuple[str, ...] = PROGRAM,
        pass_fds: tuple[int, ...] = (),
        option: str = "--foreground",
    ) -> subprocess.Popen[bytes]:
        """The same without waiting for it."""
        line = (*program, "start", option, "--config", str(self.path))
        with self._foreground_output.open("wb") as output:
            self.foreground = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment(),
                cwd=self.folder,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        return self.foreground

    def foreground_text(self) -> str:
        """What the foreground process has printed: banner and log."""
        return self._foreground_output.read_text()

    def stop(self, *words: str) -> Done:
        """Stop it; it must succeed."""
        done = self.command("stop", *words)
        assert done.code == 0, done.err
        return done

    def reload(self) -> Done:
        """Reload; it must succeed."""
        done = self.command("reload")
        assert done.code == 0, (done.err, self.log())
        return done

    def environment(self) -> dict[str, str]:
        """The environment of every process of this daemon."""
        name, _, value = self._mark.partition("=")
        inherited = {
            key: text for key, text in os.environ.items() if not key.startswith("COMMSCAFFOLDD_") or key == ENGINE
        }
        return inherited | {name: value}

    # -- asking --------------------------------------------------------------------------------------------

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Ask at the control socket; the final line."""
        answer: dict[str, Any] = control_client.request(
            self.control_socket, {"command": name, **arguments}, PATIENCE, lambda _: None
        )
        return answer

    def status(self) -> dict[str, Any]:
        """What `status` tells."""
        status: dict[str, Any] = self.ask("status")["status"]
        return status

    def count(self, counter: str) -> int:
        """The sum of a counter over all workers, as last published: wait for what you expect."""
        number: int = self.status()["totals"][counter]
        return number

    def settled(self, counter: str) -> int:
        """The same once every worker has published what has happened until now: a number to compare with later."""
        now = time.monotonic_ns()
        wait_until(lambda: all(one["statistics"]["turned_ns"] > now for one in self.status()["workers"]))
        return self.count(counter)

    def gauge(self, name: str) -> int:
        """The sum of a gauge over the living workers."""
        return sum(worker["statistics"][name] for worker in self.status()["workers"])

    def ready(self) -> dict[int, int]:
        """Workers that serve: pid by number."""
        return {worker["number"]: worker["pid"] for worker in self.status()["workers"] if worker["state"] == "ready"}

    def worker_pids(self) -> list[int]:
        """Pids of the workers that serve."""
        return list(self.ready().values())

    def master_pid(self) -> int:
        """The master's pid, as its pidfile has it."""
        return int(self.pidfile.read_text())

    def worker_of(self, client: FrameClient) -> int:
        """The number of the worker that serves this client of a TCP listener."""
        own = "{}:{}".format(*client._socket.getsockname()[:2])

        def find() -> int:
            rows = self.ask("connections")["connections"]
            return next((int(row["worker"]) for row in rows if row["peer"] == own), 0)

        return wait_until(find, what=f"the worker that serves {own}")

    def pids(self) -> set[int]:
        """Every process of this daemon: commands, master, workers, canaries."""
        return processes.with_environment(self._mark)

    # -- clients -------------------------------------------------------------------------------------------

    def address(self, listener: int = 0) -> str:
        """A listener's address."""
        return str(self.config["listen"][listener]["address"])

    def layout(self, listener: int = 0) -> Layout:
        """A listener's header layout, if it is a preset."""
        return PRESETS[self.config["listen"][listener].get("layout", "standard")]

    def connect(self, listener: int = 0, timeout: float = 15.0) -> FrameClient:
        """A client; close it."""
        return FrameClient(self.address(listener), self.layout(listener), timeout)

    # -- the end -------------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """End what runs, and say what is left that must not be. Removes the folder."""
        try:
            if self.foreground is not None and self.foreground.poll() is None:
                self.foreground.send_signal(signal.SIGQUIT)
            elif self.pidfile.exists():
                with contextlib.suppress(NotRunning):
                    self.ask("stop", now=True)
            self._expect_no_processes()
            # A process that ends loses its environment a moment before its sockets.
            wait_until(lambda: all(map(is_free, self._used_ports)), what=f"ports {self._used_ports} to be free")
        finally:
            if self.foreground is not None:
                self.foreground.wait(timeout=PATIENCE)
            shutil.rmtree(self.folder)

    def kill_everything(self) -> None:
        """SIGKILL for every process, as a power cut would."""
        processes.kill(self.pids(), signal.SIGKILL)
        wait_until(lambda: not self.pids(), what="the end of all processes")

    def _expect_no_processes(self) -> None:
        try:
            wait_until(lambda: not self.pids(), what="the end of all processes")
        except AssertionError:
            left = {pid: (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in self.pids()}
            self.kill_everything()
            raise AssertionError(f"left behind: {left}\n{self.log()}") from None

    @property
    def _foreground_output(self) -> Path:
        return self.folder / "foreground.txt"


def status_text(done: Done) -> dict[str, Any]:
    """What `status --json` printed."""
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed
