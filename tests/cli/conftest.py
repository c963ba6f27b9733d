"""A folder with a configuration, and the command in this process."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from commscaffoldd.cli.main import main
from tests.cli.running import CONFIG, Run


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A short path: unix sockets are made in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="cs"))
    (path / "run").mkdir()
    (path / "plugins").mkdir()
    (path / "c.toml").write_text(CONFIG)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with that configuration."""
    monkeypatch.setenv("COMMSCAFFOLDD_CONFIG", str(folder / "c.toml"))

    def run(*words: str, input: bytes | None = None) -> Result:  # noqa: A002  # click's name
        return CliRunner().invoke(main, words, input=input, catch_exceptions=False)

    return run
