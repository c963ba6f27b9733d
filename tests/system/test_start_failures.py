"""A start that cannot be: the reason in the terminal, the exit code, and nothing left behind."""

from __future__ import annotations

import os
import socket

import pytest

from tests.system.daemon import AS_NOBODY, Daemon
from tests.system.waiting import wait_until


@pytest.fixture(params=["start", "foreground"])
def start(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The command; both ways to start must say the same."""
    return ("start",) if request.param == "start" else ("start", "--foreground")


def nothing_is_left(daemon: Daemon) -> bool:
    return not daemon.pids() and not daemon.pidfile.exists() and not daemon.control_socket.exists()


def test_a_wrong_configuration(daemon: Daemon, start: tuple[str, ...]) -> None:
    daemon.path.write_text('[daemon]\nworkers = 2\nsto_timeout = 3\n\n[[listen]]\naddress = "nowhere"\n')
    done = daemon.command(*start)
    assert done.code == 78
    assert f"{daemon.path}:3: daemon.sto_timeout: unknown key" in done.err
    assert f"{daemon.path}:6: listen[0].address" in done.err
    assert nothing_is_left(daemon)


def test_a_configuration_that_is_no_toml(daemon: Daemon) -> None:
    daemon.path.write_text("[daemon]\nworkers = \n")
    done = daemon.command("start")
    assert done.code == 78
    assert f"{daemon.path}:2" in done.err


def test_no_configuration(daemon: Daemon) -> None:
    daemon.path.unlink()
    done = daemon.command("start")
    assert done.code == 78
    assert str(daemon.path) in done.err


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("import os\ndef (", 2, "SyntaxError"),
        ("\n\nimport no_such_module", 3, "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)", 2, "called sys.exit(3)"),
        ("from commscaffoldd import handler\n@handler(1)\ndef mine(request): ...", 2, "message ID 1 is claimed by"),
    ],
)
def test_a_broken_plugin(daemon: Daemon, source: str, line: int, reason: str) -> None:
    path = daemon.plugin("mine", source)
    done = daemon.command("start")
    assert done.code == 78
    assert f"{path}:{line}" in done.err
    assert reason in done.err
    assert nothing_is_left(daemon)


def test_a_broken_plugin_in_the_foreground_is_told_once(daemon: Daemon) -> None:
    path = daemon.plugin("mine", "def (")
    done = daemon.command("start", "--foreground")
    assert done.code == 78
    assert (done.out + done.err).count(f"{path}:1") == 1


def test_a_plugin_that_cannot_start_in_the_worker(daemon: Daemon) -> None:
    source = """
        from commscaffoldd import hookimpl

        @hookimpl
        def worker_started():
            raise RuntimeError("the database is away")
        """
    path = daemon.plugin("mine", source)
    done = daemon.command("start")
    assert done.code == 78
    assert f"{path}:6" in done.err
    assert "the database is away" in done.err
    assert nothing_is_left(daemon)


def test_a_plugin_that_ends_the_process(daemon: Daemon) -> None:
    daemon.plugin("mine", "import os\nos._exit(0)")
    done = daemon.command("start")
    assert done.code != 0
    assert "worker 1" in done.err
    assert nothing_is_left(daemon)


def test_a_plugin_that_hangs_while_it_is_loaded(daemon: Daemon) -> None:
    daemon.configure(daemon={"start_timeout": 0.5})
    daemon.plugin("mine", "import time\ntime.sleep(600)")
    done = daemon.command("start")
    assert done.code == 1
    assert "was not ready within 0.5 s" in done.err
    assert nothing_is_left(daemon)


def test_a_port_in_use(daemon: Daemon, start: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        daemon.configure(listen=[{"address": daemon.free_address()}, {"address": address}])
        done = daemon.command(*start)
    assert done.code == 1
    assert address in done.err
    assert "another process listens there already" in done.err
    assert nothing_is_left(daemon)


def test_an_address_that_this_machine_does_not_have(daemon: Daemon) -> None:
    daemon.configure(listen=[{"address": "192.0.2.1:4711"}])
    done = daemon.command("start")
    assert done.code == 1
    assert "192.0.2.1:4711" in done.err


def test_a_run_dir_below_a_file(daemon: Daemon, start: tuple[str, ...]) -> None:
    (daemon.folder / "file").write_text("")
    daemon.configure(daemon={"run_dir": str(daemon.folder / "file" / "run")})
    done = daemon.command(*start)
    assert done.code in (1, 78)
    assert str(daemon.folder / "file") in done.err
    assert not daemon.pids()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_run_dir_that_another_user_may_not_write_to(daemon: Daemon, start: tuple[str, ...]) -> None:
    (daemon.folder / "locked").mkdir(mode=0o755)
    daemon.configure(daemon={"run_dir": str(daemon.folder / "locked" / "run")})
    done = daemon.command(*start, program=AS_NOBODY)
    assert done.code == 4
    assert str(daemon.folder / "locked" / "run") in done.err
    assert "Permission denied" in done.err


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_commands_of_another_user_are_refused(daemon: Daemon) -> None:
    daemon.start()
    for word in ("status", "stop", "reload"):
        done = daemon.command(word, program=AS_NOBODY)
        assert done.code == 4, (word, done)
    assert daemon.status()["state"] == "running"


def test_a_log_that_cannot_be_opened(daemon: Daemon) -> None:
    (daemon.folder / "log").mkdir()
    daemon.configure(log={"file": str(daemon.folder / "log")})
    done = daemon.command("start")
    assert done.code != 0
    assert str(daemon.folder / "log") in done.err
    assert not daemon.pids()


def test_ctrl_c_at_a_start_that_hangs_leaves_nothing(daemon: Daemon) -> None:
    daemon.plugin(
        "mine",
        """
        import time
        from pathlib import Path
        Path(__file__).with_name("loading").touch()
        time.sleep(600)
        """,
    )
    starting = daemon.begin("start")
    wait_until((daemon.plugins / "loading").exists, what="the worker")
    starting.send_signal(2)
    _, err = starting.communicate(timeout=30)
    assert starting.returncode == 130
    assert "Traceback" not in err
    wait_until(lambda: nothing_is_left(daemon))
