"""The canary: what it finds, and how it is reported if it dies."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.capture.records import Received
from commscaffoldd.log import LogFile, open_log
from commscaffoldd.worker.canary import Canary, CanaryReport, fork_canary, read_report
from tests.capture.examples import write_capture

PLUGIN = "from commscaffoldd import handler, hookimpl\n@handler(5)\ndef greet(request): ...\n"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    made = open_log(tmp_path / "log", "info", "text")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "greet.py").write_text(PLUGIN)
    (tmp_path / "x.toml").write_text('[plugins]\npath = ["plugins"]\n')
    return tmp_path


def report_of(folder: Path, log: LogFile, close_fds: tuple[int, ...] = ()) -> CanaryReport:
    with warnings.catch_warnings():
        if threading.active_count() > 1:  # the test runner's, asleep
            warnings.simplefilter("ignore", DeprecationWarning)
        canary = fork_canary(folder / "x.toml", log, close_fds)
    with os.fdopen(canary.fd, "rb") as pipe:
        data = pipe.read()
    return read_report(data, os.waitpid(canary.pid, 0)[1])


def test_all_well(folder: Path, log: LogFile) -> None:
    report = report_of(folder, log)
    assert (report.ok, report.errors) == (True, [])
    assert [(one["id"], one["plugin"], one["function"]) for one in report.routes] == [(5, "greet", "greet")]
    assert report.config_text == (folder / "x.toml").read_text()


def test_what_it_breaks_is_only_its_own(folder: Path, log: LogFile) -> None:
    (folder / "plugins" / "greet.py").write_text(
        PLUGIN + "import os\nos.environ['CANARY'] = 'changed'\nos.chdir('/')"
    )
    where = Path.cwd()
    assert report_of(folder, log).ok
    assert "CANARY" not in os.environ
    assert Path.cwd() == where


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("1 +", "greet.py"),
        ("import nowhere", "nowhere"),
        ("raise SystemExit(3)", "called sys.exit(3)"),
        ("@handler(5)\ndef again(request): ...", "again"),
        ("@hookimpl\ndef self_test(): raise RuntimeError('no database')", "no database"),
        ("@hookimpl\ndef create_plugin(): raise RuntimeError('no file')", "no file"),
        ("@handler(4294967295)\ndef error(request): ...", "the daemon's own, for error replies"),
    ],
)
def test_what_is_wrong_with_plugins(folder: Path, log: LogFile, more: str, says: str) -> None:
    (folder / "plugins" / "greet.py").write_text(PLUGIN + more)
    report = report_of(folder, log)
    assert not report.ok
    assert says in "\n".join(report.errors)


def test_all_that_is_wrong_with_the_configuration(folder: Path, log: LogFile) -> None:
    (folder / "x.toml").write_text("[frame]\nmax_body = 0\n[daemon]\nworkers = 'many'\n")
    report = report_of(folder, log)
    assert not report.ok
    assert "frame.max_body" in "\n".join(report.errors)
    assert "daemon.workers" in "\n".join(report.errors)


@pytest.mark.parametrize(
    ("death", "says"),
    [
        ("os._exit(0)", "ended by itself, with exit code 0"),
        ("os._exit(5)", "ended by itself, with exit code 5"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9 (SIGKILL)"),
        ("os.kill(os.getpid(), 40)", "killed by signal 40"),
    ],
)
def test_a_canary_that_is_ended_by_a_plugin(folder: Path, log: LogFile, death: str, says: str) -> None:
    (folder / "plugins" / "greet.py").write_text(f"import os\n{death}\n")
    report = report_of(folder, log)
    assert not report.ok
    assert says in report.errors[0]


def test_a_report_that_was_cut_off_is_none() -> None:
    report = read_report(b'{"ok": true, "routes": [', signal.SIGSEGV)
    assert not report.ok
    assert "signal 11" in report.errors[0]


def test_it_holds_none_of_the_callers_descriptors(folder: Path, log: LogFile) -> None:
    read_end, write_end = os.pipe()
    (folder / "plugins" / "greet.py").write_text(
        f"{PLUGIN}import os\ntry:\n    os.fstat({write_end})\nexcept OSError: ...\nelse: raise RuntimeError('open')\n"
    )
    report = report_of(folder, log, (write_end,))
    os.close(read_end)
    os.close(write_end)
    assert report.errors == []


def test_one_that_takes_too_long() -> None:
    assert "took longer than daemon.start_timeout" in Canary(1, 2).timed_out().errors[0]


# -- with a capture ------------------------------------------------------------------------------------------

WORKS = PLUGIN.replace("...", "return request.body")


def replayed(folder: Path, log: LogFile, source: str, timeout: float = 10.0) -> CanaryReport:
    (folder / "plugins" / "greet.py").write_text(source)
    path = folder / "x.cap"
    if not path.exists():
        write_capture(path, *(Received(number, "1.0.0", 5, number, b"") for number in (1, 2)))
    with warnings.catch_warnings():
        if threading.active_count() > 1:
            warnings.simplefilter("ignore", DeprecationWarning)
        canary = fork_canary(folder / "x.toml", log, (), path, timeout)
    with os.fdopen(canary.fd, "rb") as pipe:
        data = pipe.read()
    return read_report(data, os.waitpid(canary.pid, 0)[1])


def test_it_plays_a_capture(folder: Path, log: LogFile) -> None:
    report = replayed(folder, log, WORKS)
    assert (report.ok, report.errors, report.replayed) == (True, [], 2)


def test_plugins_know_that_they_rehearse(folder: Path, log: LogFile) -> None:
    source = WORKS + (
        "@hookimpl\ndef worker_started(worker):\n"
        "    assert (worker.number, worker.canary) == (0, True)\n    raise RuntimeError('told')\n"
    )
    report = replayed(folder, log, source)
    assert not report.ok
    assert "told" in report.errors[0]


def test_a_handler_that_hangs_is_named_in_time(folder: Path, log: LogFile) -> None:
    report = replayed(folder, log, PLUGIN.replace("...", "__import__('time').sleep(60)"), timeout=1.0)
    (error,) = report.errors
    assert "record 2: message ID 5, handler greet of plugin greet: is still running" in error


def test_handlers_that_take_too_long_together(folder: Path, log: LogFile) -> None:
    write_capture(folder / "x.cap", *(Received(number, "1.0.0", 5, number, b"") for number in range(1000)))
    report = replayed(folder, log, PLUGIN.replace("...", "__import__('time').sleep(0.01)"), timeout=0.5)
    assert not report.ok
    assert "daemon.start_timeout (0.5 s) was nearly over" in report.errors[0]


def test_a_capture_that_cannot_be_read(folder: Path, log: LogFile) -> None:
    (folder / "x.cap").write_text("nothing of the kind")
    assert "this is no capture" in replayed(folder, log, WORKS).errors[0]
    (folder / "x.cap").unlink()
    (folder / "x.cap").mkdir()
    assert "Is a directory: the daemon's user must be able to read it" in replayed(folder, log, WORKS).errors[0]
