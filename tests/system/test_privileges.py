"""`daemon.user`: root's rights are given up once they are not needed any more."""

from __future__ import annotations

import os
import pwd
from typing import Final

import pytest

from tests.system import processes
from tests.system.daemon import AS_NOBODY, Daemon
from tests.system.waiting import wait_until

NOBODY: Final = pwd.getpwnam("nobody")
IS_ROOT: Final = os.getuid() == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root has rights to give up; the next test is for others")
def test_root_becomes_the_configured_user(daemon: Daemon) -> None:
    socket_path = daemon.folder / "s"
    os.chown(daemon.folder, NOBODY.pw_uid, NOBODY.pw_gid)
    daemon.configure(
        daemon={"workers": 2, "user": "nobody"},
        listen=[
            {"address": daemon.free_address()},
            {"address": f"unix:{socket_path}"},
            {"address": daemon.free_address(), "accept": "reuseport"},
            {"address": daemon.free_address(), "accept": "mutex"},
        ],
    )
    daemon.start()

    pids = daemon.pids()
    assert len(pids) == 3
    for pid in pids:
        assert processes.user_of(pid) == ({NOBODY.pw_uid}, {NOBODY.pw_gid})
    for path in (daemon.run_dir, daemon.log_path, daemon.control_socket, socket_path):
        assert path.stat().st_uid == NOBODY.pw_uid, path
    for listener in range(4):
        with daemon.connect(listener) as client:
            assert client.call(1, b"hello") == b"hello"

    daemon.log_path.rename(daemon.run_dir / "old.log")
    assert daemon.command("reopen").code == 0
    assert daemon.log_path.stat().st_uid == NOBODY.pw_uid
    assert daemon.log_lines("the log was reopened")

    daemon.reload()
    wait_until(lambda: len(daemon.pids()) == 3)
    for pid in daemon.pids():
        assert processes.user_of(pid)[0] == {NOBODY.pw_uid}
    daemon.stop()
    assert not socket_path.exists()
    assert not daemon.control_socket.exists()


def test_a_user_that_does_not_exist(daemon: Daemon) -> None:
    daemon.configure(daemon={"user": "no-such-user-here"})
    done = daemon.command("start")
    assert done.code == 78
    assert "daemon.user" in done.err
    assert "no-such-user-here" in done.err


def test_who_is_not_root_is_told_that_the_user_has_no_effect(daemon: Daemon) -> None:
    daemon.configure(daemon={"user": "root"})
    if IS_ROOT:
        os.chown(daemon.folder, NOBODY.pw_uid, NOBODY.pw_gid)
        done = daemon.command("start", program=AS_NOBODY)
        uid = NOBODY.pw_uid
    else:
        done = daemon.command("start")
        uid = os.getuid()
    assert done.code == 0, done.err
    assert "daemon.user" in done.err + daemon.log()
    assert all(processes.user_of(pid)[0] == {uid} for pid in daemon.pids())
