"""The packages import one way: cli → master → worker → plugin → core. Proved from the source, not by running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "commscaffoldd"
TOP = ""  # commscaffoldd itself: what plugins import, and the version

ALLOWED = {
    "version": set[str](),
    "core": set[str](),
    "log": set[str](),
    "config": {"core"},
    "client": {"core"},
    "plugin": {"core"},
    TOP: {"core", "plugin", "version"},
    "worker": {"core", "plugin", "config", "log", "version", TOP},
    "master": {"core", "plugin", "config", "log", "worker", "version", TOP},
    "cli": {"core", "plugin", "config", "log", "worker", "master", "client", "version", TOP},
}
SINGLE_FILES = {"__init__": TOP, "__main__": "cli", "version": "version"}


def package_of(module: list[str]) -> str:
    """The package below commscaffoldd that a module, given by the parts of its name, belongs to."""
    return SINGLE_FILES.get(module[1], module[1]) if len(module) > 1 else TOP


def imports_of(tree: ast.AST, folder: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Line and full name of each import of ours, wherever it stands; `folder` resolves the relative ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")] if node.module else base
            # `from commscaffoldd import core` imports the package core, `... import handler` only a name.
            names = [".".join([*module, alias.name]) for alias in node.names]
            if module != [NAME]:
                names = [".".join(module)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == NAME:
                is_package = len(parts) > 1 and (parts[1] in ALLOWED or parts[1] in SINGLE_FILES)
                yield node.lineno, parts if is_package else parts[:1]


def wrong_imports(source: str, file: Path) -> list[str]:
    module = list(file.with_suffix("").parts)
    own = package_of(module)
    return [
        f"{file}:{line}: {own or NAME} imports {'.'.join(target)}"
        for line, target in imports_of(ast.parse(source), module[:-1])
        if package_of(target) not in ALLOWED[own] | {own}
    ]


def test_no_package_imports_one_above_it() -> None:
    files = sorted((ROOT / NAME).rglob("*.py"))
    assert files
    wrong = [line for file in files for line in wrong_imports(file.read_text(), file.relative_to(ROOT))]
    assert wrong == []


def test_every_package_has_its_place() -> None:
    packages = {file.parent.name for file in (ROOT / NAME).glob("*/__init__.py")}
    assert packages <= set(ALLOWED)
    assert {file.stem for file in (ROOT / NAME).glob("*.py")} <= set(SINGLE_FILES)


def test_the_allowed_imports_have_no_circle() -> None:
    left = dict(ALLOWED)
    while left:
        lowest = [package for package, below in left.items() if not below & set(left)]
        assert lowest, f"a circle among {sorted(left)}"
        for package in lowest:
            del left[package]


@pytest.mark.parametrize(
    "source",
    [
        "import commscaffoldd.worker.process",
        "from commscaffoldd.worker import process",
        "from commscaffoldd import worker",
        "from commscaffoldd import __version__",
        "from ..worker import process",
        "from .. import worker",
        "def late():\n    from commscaffoldd.worker.process import run_worker",
    ],
)
def test_each_way_to_write_a_wrong_import_is_seen(source: str) -> None:
    assert len(wrong_imports(source, Path("commscaffoldd/core/reactor.py"))) == 1


@pytest.mark.parametrize(
    "source",
    ["import os", "from . import framing", "from .framing import Frame", "from commscaffoldd.core import route"],
)
def test_right_imports_are_left_alone(source: str) -> None:
    assert wrong_imports(source, Path("commscaffoldd/core/reactor.py")) == []
