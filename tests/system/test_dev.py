"""`start --dev`: an edit is served at once, and a wrong one is explained and harms nobody."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from textwrap import dedent

import pytest

from tests.system.daemon import Daemon
from tests.system.waiting import stays, wait_until

HELLO = """
    from commscaffoldd import handler

    @handler(1001)
    def greet(request):
        return b"hello, " + request.body
    """
GOOD_DAY = HELLO.replace("hello", "good day")


class Dev:
    """A daemon under development, and what its terminal shows."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.seen = 0

    def start(self) -> None:
        self.daemon.begin_foreground(option="--dev")
        self.says("watching ")

    def says(self, text: str) -> str:
        """Wait until it says this, after all that was waited for before; returns all that is new."""

        def new() -> str:
            return self.daemon.foreground_text()[self.seen :]

        wait_until(lambda: text in new(), what=f"{text!r} after {self.daemon.foreground_text()[: self.seen]!r}")
        shown = new()
        self.seen += len(shown[: shown.index(text) + len(text)])
        return shown

    def replies(self, body: bytes) -> bytes:
        with self.daemon.connect() as client:
            return client.call(1001, body)


@pytest.fixture
def dev(daemon: Daemon) -> Dev:
    daemon.plugin("greet", HELLO)
    return Dev(daemon)


@pytest.fixture
def started(dev: Dev) -> Dev:
    dev.start()
    return dev


def test_an_edit_is_served_and_connections_stay(started: Dev) -> None:
    with started.daemon.connect() as client:
        assert client.call(1001, b"bob") == b"hello, bob"
        started.daemon.plugin("greet", GOOD_DAY)
        started.says("greet.py changed")
        started.says("reloaded in 0.")
        started.says("1 connection moved")
        assert client.call(1001, b"bob") == b"good day, bob"


def test_a_broken_edit_is_explained_and_the_next_good_one_recovers(started: Dev) -> None:
    path = started.daemon.plugin("greet", HELLO + "\n    import no_such_module\n")
    shown = started.says("not reloaded, 1 error above: what ran before still serves")
    assert "Traceback (most recent call last):" in shown
    assert f'File "{path}", line 8, in <module>' in shown
    assert f"{path}:8: cannot be imported: ModuleNotFoundError" in shown
    assert "importlib" not in shown
    assert "\x1b" not in shown  # no terminal, no colours
    assert started.replies(b"bob") == b"hello, bob"

    started.daemon.plugin("greet", GOOD_DAY)
    started.says("reloaded in ")
    assert started.replies(b"bob") == b"good day, bob"


def test_a_handlers_failure_shows_its_traceback(started: Dev) -> None:
    started.daemon.plugin("greet", HELLO + "\n    @handler(1002)\n    def fail(request):\n        1 / 0\n")
    started.says("reloaded in ")
    with started.daemon.connect() as client:
        client.send(1002)
        shown = started.says("ZeroDivisionError: division by zero\n  Traceback")
        started.says("  ZeroDivisionError: division by zero")
    assert "handler fail of plugin greet failed" in shown


def test_a_new_plugin_and_its_data_count_and_so_does_its_end(started: Dev) -> None:
    folder = started.daemon.plugins / "polite"
    folder.mkdir()
    (folder / "words.txt").write_text("good evening")
    (folder / "__init__.py").write_text(
        dedent("""
        from pathlib import Path
        from commscaffoldd import handler

        WORDS = Path(__file__).with_name("words.txt").read_bytes()

        @handler(1003)
        def speak(request):
            return WORDS
        """)
    )
    started.says("polite/__init__.py new")
    started.says("reloaded in ")
    (folder / "words.txt").write_text("good night")
    started.says("polite/words.txt changed")
    started.says("reloaded in ")
    with started.daemon.connect() as client:
        assert client.call(1003) == b"good night"
    shutil.rmtree(folder)
    started.says("polite/__init__.py gone")
    started.says("reloaded in ")
    assert 1003 not in {route["id"] for route in started.daemon.ask("routes")["routes"]}


def test_an_editor_that_renames_over_is_one_change(started: Dev) -> None:
    path = started.daemon.plugins / "greet.py"
    (path.parent / ".greet.py.swp").write_bytes(b"b0VIM")
    (path.parent / "4913").touch()
    (path.parent / "4913").unlink()
    path.rename(f"{path}~")
    beside = path.parent / "greet.py.tmp"
    beside.write_text(dedent(GOOD_DAY))
    beside.rename(path)
    assert started.says("reloaded in ").count("dev ") == 2  # what changed, and this
    assert started.replies(b"bob") == b"good day, bob"


def test_what_the_daemon_does_itself_is_no_change(started: Dev) -> None:
    cache = started.daemon.plugins / "__pycache__"
    cache.mkdir()
    (cache / "greet.cpython-311.pyc").touch()
    (started.daemon.plugins / "users.db").touch()
    before = started.daemon.ready()
    assert stays(lambda: " new" not in started.daemon.foreground_text(), 1.0)
    assert started.daemon.ready() == before


def test_a_plugin_that_writes_a_file_when_it_loads_is_not_reloaded_for_ever(dev: Dev) -> None:
    writes = "\n    import time\n    open(__file__ + '.txt', 'w').write(str(time.time()))\n"
    dev.daemon.plugin("greet", HELLO + writes)
    dev.start()
    dev.says("greet.py.txt new")
    dev.says("greet.py.txt is written when the plugins load: it is not watched any more")
    dev.daemon.plugin("greet", GOOD_DAY + writes)
    dev.says("reloaded in ")
    before = dev.daemon.ready()
    assert stays(lambda: dev.daemon.ready() == before, 1.0)


def test_the_configuration_counts_and_may_be_broken_meanwhile(started: Dev) -> None:
    text = started.daemon.path.read_text()
    started.daemon.path.write_text(text + "[broken")
    started.says("not valid TOML")
    started.says("not reloaded")
    another = started.daemon.folder / "more"
    another.mkdir()
    (another / "polite.py").write_text(dedent(HELLO.replace("1001", "1004")))
    started.daemon.configure(plugins={"path": [str(started.daemon.plugins), str(another)]})
    started.says("reloaded in ")
    (another / "polite.py").write_text(dedent(GOOD_DAY.replace("1001", "1004")))  # a folder that is watched now
    started.says("polite.py changed")
    started.says("reloaded in ")


def test_a_first_start_that_fails_waits_for_a_better_file(dev: Dev) -> None:
    dev.daemon.plugin("greet", "def (")
    text = dev.daemon.path.read_text()
    dev.daemon.path.write_text("[broken")
    dev.daemon.begin_foreground(option="--dev")
    dev.says("not valid TOML")
    dev.says("waiting for a change")
    dev.daemon.path.write_text(text)
    assert "SyntaxError" in dev.says("waiting for a change")
    dev.daemon.plugin("greet", HELLO)
    dev.says("watching ")
    assert dev.replies(b"bob") == b"hello, bob"


def test_one_worker_unless_the_file_says_how_many_after_a_reload_too(dev: Dev) -> None:
    dev.daemon.configure(daemon={"workers": 0})
    dev.start()
    assert len(dev.daemon.ready()) == 1
    dev.daemon.plugin("greet", GOOD_DAY)
    dev.says("reloaded in ")
    assert len(dev.daemon.ready()) == 1


def test_ctrl_c_ends_all_of_it_and_a_killed_one_leaves_nothing(dev: Dev) -> None:
    dev.start()
    process = dev.daemon.foreground
    assert process is not None
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert not dev.daemon.pids()
    assert "Traceback" not in dev.daemon.foreground_text()

    dev.seen = 0
    dev.start()
    assert dev.daemon.foreground is not None
    dev.daemon.foreground.kill()
    dev.daemon.foreground.wait()
    wait_until(lambda: not dev.daemon.pids(), what="the end of workers and reloader")


def test_an_upgrade_would_end_it_and_is_refused(started: Dev) -> None:
    done = started.daemon.command("upgrade")
    assert done.code == 1
    assert "would not know of --dev, with which this one was started" in done.err
    started.daemon.plugin("greet", GOOD_DAY)
    started.says("reloaded in 0.")
    assert started.replies(b"bob") == b"good day, bob"


def test_an_edit_that_a_reload_has_missed_is_not_lost(started: Dev) -> None:
    """It changes while the canary loads: the canary has read the old text."""
    mark: Path = started.daemon.folder / "loading"
    slow = f"\n    import pathlib, time\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(0.5)\n"
    started.daemon.plugin("greet", HELLO + slow)
    wait_until(mark.exists)
    started.daemon.plugin("greet", GOOD_DAY)
    started.says("reloaded in ")
    started.says("reloaded in ")
    assert started.replies(b"bob") == b"good day, bob"
