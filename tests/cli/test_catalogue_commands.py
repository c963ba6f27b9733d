"""`docs`, `generate` and `dissector`: what they have in common, and what they print."""

from __future__ import annotations

import json
import pathlib
import stat

import pytest

from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.worker.canary import CanaryReport
from tests.catalogue.sample import sample
from tests.cli.running import Run

GOOD = CanaryReport(ok=True, catalogue=sample().to_builtins())
BAD = CanaryReport(ok=False, errors=["p.py:3: broken", "q.py:1: too"])
COMMANDS = [("docs",), ("generate", "python"), ("generate", "typescript"), ("dissector",)]


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[CanaryReport]:
    """The report that the canary gives: the last one in this list."""
    reports = [GOOD]
    monkeypatch.setattr("commscaffoldd.cli.catalogue.run_canary", lambda *_: reports[-1])
    return reports


@pytest.mark.usefixtures("canary")
def test_docs_are_markdown_unless_html_is_asked_for(run: Run) -> None:
    assert run("docs").stdout.startswith("# Sample\n")
    assert run("docs", "--format", "html", "--title", "A <b>").stdout.startswith("<!DOCTYPE html>")
    assert "<h1>A &lt;b&gt;</h1>" in run("docs", "--format", "html", "--title", "A <b>").stdout


@pytest.mark.usefixtures("canary")
def test_the_catalogue_itself_is_json(run: Run) -> None:
    assert Catalogue.from_builtins(json.loads(run("docs", "--format", "json").stdout)) == sample()


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_wrong_is_said_as_check_says_it(
    run: Run, canary: list[CanaryReport], words: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    canary.append(BAD)
    result = run(*words, "-o", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr == "error: p.py:3: broken\nq.py:1: too\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize("words", COMMANDS)
def test_a_file_gets_what_would_be_printed_and_the_same_each_time(
    run: Run, words: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "out"
    file.write_text("old")
    file.chmod(0o640)
    result = run(*words, "-o", str(file))
    assert (result.exit_code, result.output) == (0, "")
    assert file.read_text() == run(*words).stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_listener_and_the_name_of_a_client_can_be_chosen(run: Run, language: str) -> None:
    text = run("generate", language, "--listen", "127.0.0.1:9001", "--title", "Game server").stdout
    assert "class GameServerClient" in text
    assert "compact" in text
    result = run("generate", language, "--listen", "127.0.0.1:7")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no listener 127.0.0.1:7; there are: 127.0.0.1:9000, ")


@pytest.mark.usefixtures("canary")
def test_a_place_that_is_not_there_is_named(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("docs", "-o", str(tmp_path / "nowhere" / "out"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "No such file or directory" in result.stderr
    assert "nowhere" in result.stderr
