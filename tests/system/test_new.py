"""What `new` makes works as it is: its tests pass, its style is right, `check` takes it, a daemon serves it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from commscaffoldd.client import FrameClient
from tests.system.daemon import PATIENCE, PROGRAM, ROOT
from tests.system.environment import persons_environment
from tests.system.ports import Ports
from tests.system.waiting import wait_until


def run(*words: str, folder: Path, **variables: str) -> str:
    """Run a command, which must succeed; what it has printed."""
    environment = persons_environment() | variables
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the example and one more plugin."""
    folder = tmp_path_factory.mktemp("new") / "game"
    run(*PROGRAM, "new", "project", str(folder), folder=ROOT)
    run(*PROGRAM, "new", "plugin", "lobby", folder=folder)
    return folder


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_its_tests_pass(project: Path) -> None:
    shown = run("make", "test", f"PYTHON={sys.executable}", folder=project)

    assert "10 passed" in shown


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_check_takes_it(project: Path) -> None:
    shown = run("make", "check", f"PYTHON={sys.executable}", folder=project)

    assert re.search(r"handlers by +hello, lobby\nmessage IDs +2\n", shown)


def test_its_style_is_that_of_this_repository(project: Path) -> None:
    ruff = (sys.executable, "-m", "ruff")
    settings = ("--no-cache", "--config", str(ROOT / "pyproject.toml"))
    # Tests of a plugin name it relatively, wherever it lies; the numbers of an example are the example.
    run(*ruff, "check", *settings, "--extend-ignore", "TID252,PLR2004", ".", folder=project)
    run(*ruff, "format", "--check", *settings, ".", folder=project)


def test_its_types_are_right(project: Path, tmp_path: Path) -> None:
    mypy = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path))
    run(*mypy, "plugins/lobby", folder=project, MYPYPATH=str(ROOT))  # it does not see what is installed in place


@pytest.fixture
def address(project: Path, ports: Ports) -> Iterator[str]:
    """Where a daemon serves the project."""
    address = f"127.0.0.1:{ports.take()}"
    path = project / "etc" / "commscaffoldd.toml"
    text = path.read_text()
    path.write_text(text.replace("127.0.0.1:9000", address).replace("workers = 0", "workers = 1"))
    daemon = subprocess.Popen(
        [*PROGRAM, "start", "--foreground"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until((project / "run" / "control.sock").exists, what="the daemon")
        yield address
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE)
        path.write_text(text)


def test_a_daemon_serves_it(address: str) -> None:
    class Greeting(msgspec.Struct):
        text: str
        count: int

    with FrameClient(address, timeout=PATIENCE) as client:
        reply = client.call(1101, msgspec.msgpack.encode({"name": "ann"}))

    assert msgspec.msgpack.decode(reply, type=Greeting) == Greeting("hello, ann", 1)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(project: Path) -> None:
    unit = project / "systemd" / "game.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert f"{unit}:" not in done.stderr
