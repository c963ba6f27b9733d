"""A reload that is refused: the reason is in the terminal, and the running workers have not noticed."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator

import pytest

from commscaffoldd.client.frame_client import FrameClient
from tests.system.conftest import NewDaemon
from tests.system.daemon import Config, Daemon, Done


@dataclasses.dataclass
class Running:
    """A daemon under way, and a connection that must not be disturbed."""

    daemon: Daemon
    client: FrameClient

    def refuses(self, *reasons: str, code: int = 78) -> Done:
        """Reload: it is refused for these reasons, and nothing changes."""
        before, master = self.daemon.ready(), self.daemon.master_pid()
        processes = self.daemon.pids()
        done = self.daemon.command("reload")
        assert done.code == code, done
        for reason in reasons:
            assert reason in done.err
        assert "The running workers have not noticed." in done.err
        assert self.daemon.ready() == before
        assert self.daemon.master_pid() == master
        assert self.daemon.pids() == processes
        assert self.client.call(1, b"undisturbed") == b"undisturbed"
        with self.daemon.connect() as another:
            assert another.call(1, b"another") == b"another"
        return done


@pytest.fixture(scope="module")
def shared(new_shared_daemon: NewDaemon) -> Daemon:
    daemon = new_shared_daemon()
    daemon.configure(daemon={"workers": 2, "start_timeout": 1.0})
    daemon.start()
    return daemon


@pytest.fixture
def running(shared: Daemon) -> Iterator[Running]:
    """The daemon; plugins and configuration are put back afterwards."""
    config: Config = {name: part if isinstance(part, list) else dict(part) for name, part in shared.config.items()}
    with shared.connect() as client:
        client.call(1)
        yield Running(shared, client)
    for path in shared.plugins.iterdir():
        if path.name != "echo.py" and path.is_file():
            path.unlink()
    shared.config = config
    shared.configure()


HEAD = "from commscaffoldd import handler, hookimpl\n"
FINE = "@handler(7)\ndef seven(request): ...\n"


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("x = 1\ndef (", 2, "SyntaxError"),
        ("\nimport no_such_module", 2, "No module named 'no_such_module'"),
        ("raise RuntimeError('boom')", 1, "RuntimeError: boom"),
        (HEAD + "@handler(1)\ndef mine(request): ...", 2, "message ID 1 is claimed by"),
        (HEAD + FINE + "@hookimpl\ndef self_test(): raise ValueError('disk is full')", 5, "disk is full"),
        (HEAD + FINE + "@hookimpl\ndef create_plugin(settings): return 1 / 0", 5, "ZeroDivisionError"),
        (HEAD + FINE + "@hookimpl\ndef conection_opened(connection): ...", 4, "did you mean 'connection_opened'"),
        (HEAD + "@handler(7)\ndef seven(): ...", 2, "the first one must take the request"),
        (HEAD + "@handler(7, inline=True)\nasync def seven(request): ...", 2, "is an async function, and inline"),
        ("import sys\nsys.exit(0)", 2, "called sys.exit(0)"),
        ("x = 1", 0, "has no @handler, @hookimpl, @middleware or @every"),
    ],
)
def test_a_broken_plugin(running: Running, source: str, line: int, reason: str) -> None:
    path = running.daemon.plugin("broken", source)
    running.refuses(f"{path}:{line}" if line else str(path), reason)
    reload = running.daemon.status()["last_reload"]
    assert not reload["ok"]
    assert reason in " ".join(reload["errors"])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os\nos._exit(0)", "exit code 0"),
        ("import os\nos.kill(os.getpid(), 11)", "SIGSEGV"),
        ("import time\ntime.sleep(600)", "took longer than daemon.start_timeout"),
        ("while True: pass", "took longer than daemon.start_timeout"),
    ],
)
def test_a_plugin_that_ends_or_keeps_the_canary(running: Running, source: str, reason: str) -> None:
    running.daemon.plugin("broken", source)
    running.refuses(reason)


def test_a_plugin_that_prints_and_leaves_threads(running: Running) -> None:
    source = (
        HEAD
        + "import threading, time\nprint('hello')\nthreading.Thread(target=time.sleep, args=[600]).start()\n"
        + FINE
    )
    running.daemon.plugin("noisy", source)
    running.daemon.plugin("broken", "def (")
    done = running.refuses("SyntaxError")
    assert "hello" not in done.out + done.err


def test_all_that_is_wrong_is_told_at_once(running: Running) -> None:
    first = running.daemon.plugin("first", "def (")
    second = running.daemon.plugin("second", "\nimport no_such_module")
    running.refuses(f"{first}:1", f"{second}:2")


def test_a_wrong_configuration(running: Running) -> None:
    text = running.daemon.path.read_text()
    line = text.count("\n") + 3
    running.daemon.path.write_text(text + '\n[heartbeat]\nintervall = 3\nmisses = "x"\n')
    running.refuses(
        f"{running.daemon.path}:{line}: heartbeat.intervall", "did you mean", f"{line + 1}: heartbeat.misses"
    )


def test_a_configuration_that_is_no_toml(running: Running) -> None:
    running.daemon.path.write_text("[daemon\n")
    done = running.daemon.command("reload")
    assert done.code == 78
    assert f"{running.daemon.path}:1" in done.err
    assert running.client.call(1, b"undisturbed") == b"undisturbed"


def test_settings_for_a_plugin_that_is_not_there(running: Running) -> None:
    running.daemon.configure(plugin={"ecko": {"x": 1}})
    running.refuses("ecko", "did you mean", "echo")


def test_what_only_a_restart_can_change(running: Running) -> None:
    running.daemon.configure(daemon={"user": "nobody"})
    running.refuses("daemon.user", "a restart can do that")


def test_a_new_listeners_port_in_use(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        free = running.daemon.free_address()
        running.daemon.configure(listen=[*running.daemon.config["listen"], {"address": free}, {"address": address}])
        running.refuses(address, "another process listens there already", code=1)
    with pytest.raises(ConnectionRefusedError):
        FrameClient(free)  # what was opened beside it has been closed again


def test_a_plugin_that_fails_in_the_new_worker_only(running: Running) -> None:
    source = HEAD + FINE + "@hookimpl\ndef worker_started(): raise RuntimeError('too late')\n"
    path = running.daemon.plugin("broken", source)
    running.refuses(f"{path}:5", "too late")


def test_a_plugin_that_hangs_in_the_new_worker_only(running: Running) -> None:
    source = HEAD + "import time\n" + FINE + "@hookimpl\ndef worker_started(): time.sleep(600)\n"
    running.daemon.plugin("broken", source)
    running.refuses("was not ready within 1 s", code=1)


def test_afterwards_a_good_one_is_not_refused(running: Running) -> None:
    running.daemon.plugin("fine", HEAD + FINE)
    running.daemon.reload()
    assert "fine" in running.daemon.command("routes").out
