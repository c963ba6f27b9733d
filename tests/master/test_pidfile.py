"""The pidfile's lock says who runs, whatever is written in the file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.master.pidfile import AlreadyRunning, Pidfile, running_pid, wait_until_free

HOLDER = """
import sys
from pathlib import Path
from commscaffoldd.master.pidfile import Pidfile
pidfile = Pidfile(Path(sys.argv[1]))
pidfile.acquire()
pidfile.write()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "d.pid"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the pidfile."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_held_released_and_gone(path: Path) -> None:
    pidfile = Pidfile(path)
    pidfile.acquire()
    assert running_pid(path) == 0
    with pidfile:
        assert path.read_text() == f"{os.getpid()}\n"
        assert running_pid(path) == os.getpid()
    assert not path.exists()
    assert running_pid(path) is None
    pidfile.release()


def test_a_second_one_is_told_who_holds_it(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(AlreadyRunning, match=f"pid {holder.pid}") as raised:
        Pidfile(path).acquire()
    assert raised.value.pid == holder.pid
    assert running_pid(path) == holder.pid


def test_a_killed_holder_holds_nothing_and_is_known(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait(20)
    assert path.exists()
    assert running_pid(path) is None
    pidfile = Pidfile(path)
    pidfile.acquire()
    assert pidfile.previous == holder.pid
    pidfile.release()


def test_a_start_under_way_is_told_as_such(path: Path) -> None:
    first = Pidfile(path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match="another start is under way"):
        Pidfile(path).acquire()
    first.release()


def test_a_copy_that_was_inherited_keeps_the_lock(path: Path) -> None:
    pidfile = Pidfile(path)
    pidfile.acquire()
    copy = os.dup(pidfile.fileno())
    pidfile.leave()
    pidfile.leave()
    assert running_pid(path) == 0
    os.close(copy)
    assert running_pid(path) is None


def test_a_file_that_was_exchanged_is_not_removed(path: Path) -> None:
    pidfile = Pidfile(path)
    pidfile.acquire()
    path.unlink()
    path.write_text("somebody else's")
    pidfile.release()
    assert path.read_text() == "somebody else's"


def test_a_lock_on_a_file_that_is_gone_does_not_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The former holder removes the file between our open and our lock."""
    real = os.open
    opened: list[str] = []

    def open_and_lose(name: Any, *arguments: Any) -> int:
        fd = real(name, *arguments)
        if not opened:
            Path(name).unlink()
        opened.append(name)
        return fd

    monkeypatch.setattr("commscaffoldd.master.pidfile.os.open", open_and_lose)
    pidfile = Pidfile(path)
    pidfile.acquire()
    assert len(opened) == 2
    assert os.path.samestat(os.fstat(pidfile.fileno()), path.stat())
    pidfile.release()


def test_a_symbolic_link_is_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        Pidfile(path).acquire()
    assert not (tmp_path / "target").exists()


def test_asking_does_not_disturb_a_start(path: Path) -> None:
    path.write_text("")
    for _ in range(50):
        assert running_pid(path) is None
        pidfile = Pidfile(path)
        pidfile.acquire()
        pidfile.release()


def test_waiting_for_the_lock(path: Path, holder: subprocess.Popen[str], eventually: Callable[..., Any]) -> None:
    assert not wait_until_free(path, 0.05)
    holder.kill()
    assert wait_until_free(path, 20)
    eventually(lambda: holder.poll() is not None)
