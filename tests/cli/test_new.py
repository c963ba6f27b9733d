from __future__ import annotations

import pathlib

import pytest

from tests.cli.running import Run

PLUGIN = {
    *("README.md", "__init__.py", "handlers.py", "messages.py", "settings.py"),
    *("tests/__init__.py", "tests/test_lobby.py"),
}


def files_in(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_new_plugin_goes_where_the_configuration_looks(run: Run, folder: pathlib.Path) -> None:
    result = run("new", "plugin", "lobby")

    assert result.exit_code == 0
    assert files_in(folder / "plugins" / "lobby") == PLUGIN
    assert "  tests/test_lobby.py\n" in result.stdout
    assert "-m pytest " in result.stdout


def test_or_into_the_folder_that_is_named(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("new", "plugin", "lobby", "--in", str(tmp_path / "new" / "plugins"), "--id", "0x7d0")

    assert result.exit_code == 0
    assert "GREET = 2000\n" in (tmp_path / "new" / "plugins" / "lobby" / "messages.py").read_text()


def test_without_a_configuration_it_goes_into_plugins(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMMSCAFFOLDD_CONFIG")
    monkeypatch.chdir(tmp_path)

    assert run("new", "plugin", "lobby").exit_code == 0
    assert (tmp_path / "plugins" / "lobby" / "__init__.py").is_file()


def test_two_plugins_have_ids_of_their_own(run: Run, folder: pathlib.Path) -> None:
    run("new", "plugin", "lobby")
    run("new", "plugin", "arena")

    texts = [(folder / "plugins" / name / "messages.py").read_text() for name in ("lobby", "arena")]
    assert ["GREET = 1001\n" in texts[0], "GREET = 1101\n" in texts[1]] == [True, True]
    assert run("check").exit_code == 0


def test_what_is_there_is_never_overwritten(run: Run, folder: pathlib.Path) -> None:
    mine = folder / "plugins" / "lobby" / "handlers.py"
    mine.parent.mkdir()
    mine.write_text("mine")

    result = run("new", "plugin", "lobby")

    assert result.exit_code == 1
    assert result.stderr == f"error: these are in the way, so nothing has been made:\n{mine}\n"
    assert files_in(mine.parent) == {"handlers.py"}
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("plugin", "Lobby-2"), "'Lobby-2' cannot be a plugin's name: it is a lower-case letter"),
        (("plugin", "email"), "'email' is a module of Python's own library"),
        (("plugin", "lobby", "--id", "0"), "ID 0 is the heartbeat"),
        (("plugin", "lobby", "--id", "many"), "'many' is not a message ID"),
        (("project", "/tmp/123"), "'123' cannot be a project's name"),
        (("project", ""), "Invalid value for 'FOLDER': it is empty; for this folder write ."),
        (("project", "/tmp/two\nlines"), "'/tmp/two\\nlines' cannot be a project's folder"),
    ],
)
def test_wrong_words_are_wrong_usage(run: Run, words: tuple[str, ...], text: str) -> None:
    result = run("new", *words)

    assert result.exit_code == 2
    assert text in result.stderr


def test_a_wrong_configuration_is_told(run: Run, folder: pathlib.Path) -> None:
    (folder / "c.toml").write_text("[plugins]\npath = []\n")
    result = run("new", "plugin", "lobby")
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: {folder}/c.toml has no folder in [plugins] path: say where, with --in\n",
    )

    (folder / "c.toml").write_text("[plugins]\npaths = []\n")
    assert run("new", "plugin", "lobby").exit_code == 78


def test_a_loop_of_links_is_one_line(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    result = run("new", "project", str(tmp_path / "loop"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"error: {tmp_path}/loop")


def test_a_folder_that_cannot_be_written_is_one_line(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()

    result = run("new", "plugin", "lobby", "--in", str(tmp_path / "file" / "plugins"))

    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [str(tmp_path / "file")]


def test_a_project_says_what_comes_next(run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("new", "project", "Game Server")

    assert result.exit_code == 0
    assert {"Makefile", ".gitignore", "etc/commscaffoldd.toml", "systemd/game-server.service"} <= files_in(
        tmp_path / "Game Server"
    )
    assert "  cd 'Game Server'\n" in result.stdout
    assert "commscaffoldd call 127.0.0.1:9000 1001 --json" in result.stdout


@pytest.mark.parametrize("command", ["plugin", "project"])
def test_each_has_help_with_examples(run: Run, command: str) -> None:
    shown = run("new", command, "--help").stdout

    assert "Examples:\n" in shown
    assert f"commscaffoldd new {command} " in shown
