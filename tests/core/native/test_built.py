"""What is said of a native engine that cannot be used."""

from __future__ import annotations

import shutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from commscaffoldd.core.native import built
from commscaffoldd.core.native.built import MODULES, why_not_built

SUFFIX = EXTENSION_SUFFIXES[0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `half` with nothing compiled in it."""
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "path.py").write_text("import half.wire\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half", raising=False)
    return folder


def build(package: Path, suffix: str = SUFFIX) -> None:
    for name in MODULES:
        (package / f"{name}{suffix}").write_bytes(b"not a library")


def test_all_that_is_compiled_is_looked_for() -> None:
    folder = Path(built.__file__).parent
    assert set(MODULES) == {file.stem for file in folder.glob("*.pyx")}


def test_each_of_them_has_a_stub() -> None:
    folder = Path(built.__file__).parent
    inner = {"flight"}  # has nothing that Python could import
    assert set(MODULES) - inner == {file.stem for file in folder.glob("*.pyi")}


def test_nothing_was_built(package: Path) -> None:
    says = "was not built by the installation (no C compiler, or COMMSCAFFOLDD_BUILD_NATIVE=0)"
    assert says in str(why_not_built(package, "half"))


def test_it_was_built_for_another_python(package: Path) -> None:
    build(package, ".cpython-399-x86_64-linux-gnu.so")
    says = "built for another Python: dispatch.cpython-399-x86_64-linux-gnu.so is not for cpython-3"
    assert says in str(why_not_built(package, "half"))


def test_some_of_it_is_missing(package: Path) -> None:
    build(package)
    (package / f"wire{SUFFIX}").unlink()
    assert "is incomplete: there is no wire; install again" in str(why_not_built(package, "half"))


def test_it_cannot_be_imported(package: Path) -> None:
    build(package)
    text = str(why_not_built(package, "half"))
    assert "cannot be imported: ImportError: " in text
    assert "wire" in text
    assert "\n" not in text


def test_nothing_hinders_it(package: Path) -> None:
    build(package)
    shutil.copy(package / "__init__.py", package / "path.py")
    assert why_not_built(package, "half") is None
