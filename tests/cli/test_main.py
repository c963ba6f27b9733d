from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import click
import pytest

from commscaffoldd import __version__
from commscaffoldd.cli.main import COMMANDS, main
from tests.cli.running import PROGRAM, Run


def test_the_version_is_shown(run: Run) -> None:
    assert run("--version").stdout == f"commscaffoldd {__version__}\n"


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", sorted(name for name in COMMANDS if not command(name).hidden))
def test_every_command_has_help_with_examples_under_both_names(run: Run, name: str) -> None:
    short = run(name, "-h")
    assert short.exit_code == 0
    assert short.stdout == run(name, "--help").stdout
    assert "--config" in short.stdout or isinstance(command(name), click.Group)  # its commands have it
    assert "Examples:\n  " in short.stdout.replace("\n    ", "\n  ")
    assert f"commscaffoldd {name}" in short.stdout


def test_the_commands_are_those_that_the_documents_promise() -> None:
    assert set(COMMANDS) == {
        *("start", "stop", "restart", "reload", "reopen", "scale", "rebalance", "upgrade", "take-over"),
        *("status", "check", "routes", "release", "connections", "call", "console", "bench", "docs", "generate"),
        *("new", "dissector", "capture", "replay", "timers"),
    }


def test_help_tells_of_completion_and_exit_codes(run: Run) -> None:
    shown = run("--help").stdout
    assert "_COMMSCAFFOLDD_COMPLETE=bash_source" in shown
    assert "78 the configuration or a plugin is wrong" in shown


def test_wrong_usage_exits_2(run: Run) -> None:
    assert run("status", "--nonsense").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_an_invalid_configuration_exits_78_with_file_and_line(run: Run, folder: pathlib.Path) -> None:
    (folder / "c.toml").write_text("[daemon]\nworkerz = 1\n[log]\nlevel = 5\n")
    for command in ("start", "check", "restart", "reload"):
        result = run(command)
        assert result.exit_code == 78
        assert f"{folder}/c.toml:2: daemon.workerz" in result.stderr
        assert f"{folder}/c.toml:4: log.level" in result.stderr


def test_a_configuration_that_is_not_there_exits_78(run: Run) -> None:
    result = run("status", "--config", "/nonexistent.toml")
    assert result.exit_code == 78
    assert "/nonexistent.toml" in result.stderr


def test_ctrl_c_exits_130_and_says_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("commscaffoldd.cli.daemon.find_config", interrupted)
    result = run("status")
    assert (result.exit_code, result.output) == (130, "")


def test_no_permission_exits_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/run/x")

    monkeypatch.setattr("commscaffoldd.cli.daemon.find_config", refused)
    result = run("status")
    assert (result.exit_code, result.stderr) == (4, "error: /run/x: Permission denied\n")


def test_a_reader_that_has_read_enough_ends_it_without_a_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run([*PROGRAM, "--help"], stdout=write_end, stderr=subprocess.PIPE, check=False, timeout=30)
    finally:
        os.close(write_end)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"]])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    with pathlib.Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_do_no_harm(folder: pathlib.Path, closed: tuple[int, ...]) -> None:
    words = [*PROGRAM, "check", "--config", str(folder / "c.toml")]
    redirections = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *words], capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"OK" in done.stdout) == (1 not in closed)


def test_each_command_is_where_the_table_says() -> None:
    assert {name: command(name).name for name in COMMANDS} == {name: name for name in COMMANDS}


def test_a_mistyped_command_is_told_the_nearest_one(run: Run) -> None:
    done = run("stauts")
    assert (done.exit_code, "No such command 'stauts'. Did you mean 'status'?" in done.stderr) == (2, True)
    assert "Did you mean" not in run("xyzzy").stderr


def test_the_group_imports_no_command() -> None:
    source = "import sys, commscaffoldd.cli.main; print('commscaffoldd.master.master' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
