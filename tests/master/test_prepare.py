"""What is opened before the daemon is forked, and given back when it cannot be."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from commscaffoldd.config.schema import Config, Daemon, Listen, Log
from commscaffoldd.master.pidfile import running_pid
from commscaffoldd.master.prepare import StartRefused, prepare
from commscaffoldd.master.privileges import PrivilegeError, wanted_identity


def config(folder: Path, *, log: str = "", listen: str = "127.0.0.1:0", user: str = "") -> Config:
    return Config(
        path=folder / "c.toml",
        daemon=Daemon(workers=1, run_dir=str(folder / "run"), user=user),
        log=Log(file=log),
        listen=(Listen(address=listen),),
    )


def test_all_is_open_and_no_program_inherits_it(folder: Path) -> None:
    prepared = prepare(config(folder), folder / "run" / "d.log")
    assert running_pid(folder / "run" / "commscaffoldd.pid") == 0
    assert len(prepared.fds()) == 3
    assert not any(os.get_inheritable(fd) for fd in prepared.fds())
    fds = prepared.fds()
    prepared.leave()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_without_a_file_the_default_log_is_used(folder: Path) -> None:
    prepared = prepare(config(folder), folder / "default.log")
    assert prepared.generation.log.path == folder / "default.log"
    prepared.leave()
    prepared = prepare(config(folder, log=str(folder / "mine.log")), folder / "default.log")
    assert prepared.generation.log.path == folder / "mine.log"
    prepared.leave()


def test_a_log_that_cannot_be_opened_is_told_and_the_pidfile_given_back(folder: Path) -> None:
    with pytest.raises(StartRefused, match=r"cannot open the log .*: Is a directory") as raised:
        prepare(config(folder, log=str(folder)), None)
    assert raised.value.exit_code == 1
    assert not (folder / "run" / "commscaffoldd.pid").exists()


def test_an_address_in_use_gives_everything_back(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(StartRefused, match="EADDRINUSE"):
        prepare(config(folder, listen=f"127.0.0.1:{other.getsockname()[1]}"), None)
    assert running_pid(folder / "run" / "commscaffoldd.pid") is None


def test_who_runs_already_is_named(folder: Path) -> None:
    first = prepare(config(folder), None)
    first.pidfile.write()
    with pytest.raises(StartRefused, match=f"running already: pid {os.getpid()}") as raised:
        prepare(config(folder), None)
    assert raised.value.pid == os.getpid()
    assert raised.value.exit_code == 1
    first.pidfile.release()
    first.leave()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_a_run_folder_of_another_user_is_not_trusted(folder: Path) -> None:
    (folder / "run").mkdir()
    os.chown(folder / "run", 12345, 12345)
    with pytest.raises(StartRefused, match="belongs to another user") as raised:
        prepare(config(folder), None)
    assert raised.value.exit_code == 4


def test_a_user_is_taken_on_by_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted_identity("", "") is None
    monkeypatch.setattr("commscaffoldd.master.privileges.os.geteuid", lambda: 1000)
    assert wanted_identity("nobody", "") is None
    monkeypatch.setattr("commscaffoldd.master.privileges.os.geteuid", lambda: 0)
    identity = wanted_identity("nobody", "")
    assert identity is not None
    assert identity.uid != 0
    with pytest.raises(PrivilegeError, match="no user 'nobody-at-all'"):
        wanted_identity("nobody-at-all", "")
    with pytest.raises(PrivilegeError, match="no group 'nobody-at-all'"):
        wanted_identity("", "nobody-at-all")


def test_an_engine_that_is_not_there_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMSCAFFOLDD_ENGINE", "steam")
    with pytest.raises(StartRefused, match="COMMSCAFFOLDD_ENGINE is 'steam'") as raised:
        prepare(config(folder), None)
    assert raised.value.exit_code == 78
