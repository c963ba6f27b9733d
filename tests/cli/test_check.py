"""`check`, and `routes` without a daemon: both load the plugins in a canary."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
import tomli

from commscaffoldd.worker.canary import CanaryReport
from tests.cli.running import PROGRAM, Run

ROUTES = [
    {"id": 7, "plugin": "echo", "function": "echo", "mode": "inline"},
    {"id": 5, "plugin": "account", "function": "register", "mode": "pool"},
]
GOOD = CanaryReport(ok=True, errors=[], routes=ROUTES, config_text="")
BAD = CanaryReport(ok=False, errors=["p.py:3: broken", "q.py:1: too"], routes=[], config_text="")


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[CanaryReport]:
    """The report that the canary gives: the last one in this list."""
    reports = [GOOD]
    for module in ("check", "routes"):
        monkeypatch.setattr(f"commscaffoldd.cli.{module}.run_canary", lambda *_: reports[-1])
    return reports


@pytest.mark.usefixtures("canary")
def test_what_is_right_is_summed_up(run: Run, folder: pathlib.Path) -> None:
    result = run("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{folder}/c.toml: OK",
        "listeners    127.0.0.1:9000 (layout standard, exclusive)",
        "             0.0.0.0:9001 (layout compact, exclusive)",
        "             127.0.0.1:9002 (layout mine, exclusive)",
        "workers      2",
        "handlers by  account, echo",
        "message IDs  2",
    ]


@pytest.mark.usefixtures("canary")
def test_a_dump_is_toml_and_nothing_else_on_standard_output(run: Run, folder: pathlib.Path) -> None:
    result = run("check", "--dump")
    dumped = tomli.loads(result.stdout)
    assert dumped["daemon"]["workers"] == 2
    assert dumped["daemon"]["run_dir"] == str(folder / "run")
    assert "OK" in result.stderr


def test_all_errors_are_shown_with_exit_code_78(run: Run, canary: list[CanaryReport]) -> None:
    canary.append(BAD)
    result = run("check")
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr == "error: p.py:3: broken\nq.py:1: too\n"


@pytest.mark.usefixtures("canary")
def test_routes_of_a_daemon_that_does_not_run_are_those_it_would_have(run: Run) -> None:
    result = run("routes")
    assert result.exit_code == 0
    assert "not running" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["5", "7"]


def test_routes_with_broken_plugins_exit_78(run: Run, canary: list[CanaryReport]) -> None:
    canary.append(BAD)
    result = run("routes")
    assert (result.exit_code, result.stdout) == (78, "")
    assert "error: p.py:3: broken" in result.stderr


def check_for_real(folder: pathlib.Path, plugin: str) -> subprocess.CompletedProcess[str]:
    """`check` as a process, since it forks, with one plugin."""
    (folder / "plugins" / "sample.py").write_text(plugin)
    words = [*PROGRAM, "check", "--config", str(folder / "c.toml")]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=50)


def test_a_plugin_is_loaded_in_a_process_of_its_own_and_what_it_prints_is_kept_apart(folder: pathlib.Path) -> None:
    plugin = """
from commscaffoldd import handler

print("printed by the plugin", flush=True)

@handler(7)
def answer(request):
    return b""
"""
    done = check_for_real(folder, plugin)
    assert done.returncode == 0
    assert "handlers by  sample" in done.stdout
    assert done.stderr == "printed by the plugin\n"


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("x = 1\ndef broken(:\n", "sample.py:2"),
        ("x = 1\nimport nonexistent_module\n", "sample.py:2"),
        ("import sys\nsys.exit(0)\n", "sample.py:2"),
        ("import os\nos._exit(0)\n", "exit code 0"),
        ("import os\nos.kill(os.getpid(), 9)\n", "SIGKILL"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_an_error_whatever_it_does(
    folder: pathlib.Path, plugin: str, said: str
) -> None:
    done = check_for_real(folder, plugin)
    assert (done.returncode, done.stdout) == (78, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_that_waits_for_ever_is_an_error_after_start_timeout(folder: pathlib.Path) -> None:
    (folder / "c.toml").write_text(
        (folder / "c.toml").read_text().replace("[daemon]", "[daemon]\nstart_timeout = 0.5")
    )
    done = check_for_real(folder, "import time\ntime.sleep(3600)\n")
    assert done.returncode == 78
    assert "start_timeout" in done.stderr
