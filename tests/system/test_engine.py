"""Which engine runs, and where that is said."""

from __future__ import annotations

import shutil

import pytest

from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from tests.system.daemon import ROOT, Daemon, status_text

MISSING = why_no_native_engine()
needs_native = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

TELLS = """
from commscaffoldd import handler

@handler(7, inline=True)
def tell_engine(request):
    kind = type(request).__module__
    return b"native" if ".native." in kind else b"python"
"""


@pytest.fixture
def without_native(daemon: Daemon) -> Daemon:
    """A daemon whose installation has no native engine: a copy of the package, without what was compiled."""
    package = daemon.folder / "commscaffoldd"  # the command is run in that folder, and takes it from there
    shutil.copytree(ROOT / "commscaffoldd", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return daemon


def engine_shown(daemon: Daemon) -> str:
    """What `status` says, as text and as JSON."""
    lines = [line.split() for line in daemon.command("status").out.splitlines()]
    (name,) = [words[1] for words in lines if words[:1] == ["engine"]]
    assert status_text(daemon.command("status", "--json"))["engine"] == name
    return name


@pytest.mark.parametrize("wanted", ["python", pytest.param("native", marks=needs_native)])
def test_the_engine_that_is_asked_for_runs(daemon: Daemon, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, wanted)
    daemon.plugin("tells", TELLS)
    daemon.start()
    assert engine_shown(daemon) == wanted
    with daemon.connect() as client:
        assert client.call(7, b"").decode() == wanted


@pytest.mark.parametrize("wanted", ["auto", None])
def test_by_default_the_native_one_runs_where_it_is_there(
    daemon: Daemon, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if wanted:
        monkeypatch.setenv(VARIABLE, wanted)
    daemon.start()
    assert engine_shown(daemon) == ("python" if MISSING else "native")


def test_where_there_is_none_the_python_one_runs(without_native: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    without_native.start()
    assert engine_shown(without_native) == "python"


def test_a_start_that_wants_one_that_is_not_there_says_why(
    without_native: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "native")
    done = without_native.command("start")
    assert done.code == 78
    assert "COMMSCAFFOLDD_ENGINE is 'native', but the native engine was not built by the installation" in done.err
    assert "allowed: python, auto" in done.err
    assert without_native.command("status").code == 3


@pytest.mark.parametrize("wanted", ["fast", "Native", ""])
def test_a_start_that_wants_no_engine_that_could_be_says_which_are(
    daemon: Daemon, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, wanted)
    done = daemon.command("start")
    assert done.code == 78
    assert f"COMMSCAFFOLDD_ENGINE is {wanted!r}; allowed: python, native, auto" in done.err
