from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.cli.listening import command_to_try
from commscaffoldd.config.load import load
from commscaffoldd.config.schema import Config
from commscaffoldd.master.daemonise import LaunchResult, Ready
from tests.cli.running import CONFIG, Run

LISTENING = ("127.0.0.1:9000", "0.0.0.0:9001", "127.0.0.1:9002")
LAYOUTS = ("standard", "compact", "mine")


def launched(monkeypatch: pytest.MonkeyPatch, result: LaunchResult) -> list[Config]:
    asked: list[Config] = []

    def launch(config: Config) -> LaunchResult:
        asked.append(config)
        return result

    monkeypatch.setattr("commscaffoldd.cli.start.launch_daemon", launch)
    return asked


def test_start_shows_pid_and_where_it_listens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = launched(
        monkeypatch,
        LaunchResult(True, 0, 4711, (), LISTENING, (4712, 4713), pathlib.Path("/var/log/c.log"), LAYOUTS),
    )
    result = run("start")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "commscaffoldd started: pid 4711, 2 workers",
        "listening on 127.0.0.1:9000 (layout standard)",
        "listening on 0.0.0.0:9001 (layout compact)",
        "listening on 127.0.0.1:9002 (layout mine)",
        "logging to /var/log/c.log",
    ]
    assert [config.daemon.workers for config in asked] == [2]


@pytest.mark.parametrize("code", [1, 4, 78])
def test_a_start_that_fails_shows_the_reasons_and_their_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    launched(monkeypatch, LaunchResult(False, code, None, ("p.py:3: broken", "q.py:4: too")))
    result = run("start")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "error: p.py:3: broken\nq.py:4: too\n"


@pytest.mark.parametrize(
    ("listening", "shown"),
    [
        (LISTENING, "commscaffoldd console 127.0.0.1:9000"),
        (("0.0.0.0:9001",), "commscaffoldd console 127.0.0.1:9001 --layout compact"),
        (("[::]:9001",), "commscaffoldd console '[::1]:9001' --layout compact"),
        (("unix:/tmp/x",), "commscaffoldd console unix:/tmp/x --layout compact"),
        (("127.0.0.1:9002",), "commscaffoldd console 127.0.0.1:9002 --config {config}"),
    ],
)
def test_the_foreground_shows_a_command_to_try(
    run: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    listening: tuple[str, ...],
    shown: str,
) -> None:
    head, *listens = CONFIG.partition("[layout.mine]")[0].split("[[listen]]")
    first = {"9000": 0, "9002": 2}.get(listening[0].rpartition(":")[2], 1)
    kept = listens if first == 0 else [listens[first]]
    layouts = CONFIG.partition("[layout.mine]")[1:]
    (folder / "c.toml").write_text(head + "".join(f"[[listen]]{text}" for text in kept) + "".join(layouts))

    def run_foreground(config: Config, on_ready: Callable[[Ready], None], _failed: Any) -> int:
        bound = tuple(listen.layout for listen in config.listen)[: len(listening)]
        on_ready(Ready(1, listening, (2, 3), bound))
        return 0

    monkeypatch.setattr("commscaffoldd.cli.foreground.run_foreground", run_foreground)
    result = run("start", "--foreground")
    assert result.exit_code == 0
    assert f"listening on {listening[0]} (layout " in result.stderr
    assert result.stderr.endswith(f"try it: {shown.format(config=folder / 'c.toml')}\n")


def test_a_foreground_that_fails_shows_the_reasons_and_its_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_foreground(_config: Config, _ready: Any, on_failed: Callable[[tuple[str, ...]], None]) -> int:
        on_failed(("the address is in use", "and so is the other"))
        return 1

    monkeypatch.setattr("commscaffoldd.cli.foreground.run_foreground", run_foreground)
    result = run("start", "--foreground")
    assert result.exit_code == 1
    assert result.stderr == "error: the address is in use\nand so is the other\n"


@pytest.mark.parametrize(("in_path", "shown"), [(None, ".venv/bin/commscaffoldd"), ("/usr/bin/x", "commscaffoldd")])
def test_the_command_to_try_can_be_typed_as_it_is_shown(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, in_path: str | None, shown: str
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/commscaffoldd", "start"])
    monkeypatch.setattr("shutil.which", lambda _: in_path)
    assert command_to_try(load(folder / "c.toml"), LISTENING).split()[0] == shown
