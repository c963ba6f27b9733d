"""The packages import one way: cli → master → worker → plugin → core. Proved from the source, not by running it.

So do the native path's modules, by `cimport` too: they are above core, which knows of them in two places only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "commscaffoldd"
TOP = ""  # commscaffoldd itself: what plugins import, and the version

BESIDE_CORE = {"core", "codecs", "capture", "config", "log"}  # know nothing of processes
BELOW_WORKER = BESIDE_CORE | {"plugin", "catalogue", "version", TOP}
BELOW_CLI = BELOW_WORKER | {"worker", "master", "client", "scaffold"}

ALLOWED = {
    "version": set[str](),
    "core": set[str](),
    "native": {"core"},
    "log": set[str](),
    "config": {"core"},
    "codecs": {"core"},
    "capture": {"core"},
    "catalogue": {"core"},
    "scaffold": {"version"},
    "client": {"core", "codecs", "capture"},
    "plugin": {"core", "codecs", "config"},
    TOP: {"core", "codecs", "plugin", "version"},
    "worker": BELOW_WORKER,
    "testing": BELOW_WORKER | {"worker", "client"},
    "master": (BELOW_WORKER | {"worker"}) - {"catalogue"},
    "cli": BELOW_CLI,
}
SINGLE_FILES = {"__init__": TOP, "__main__": "cli", "version": "version"}
KNOW_NATIVE = {
    Path(NAME, "core", "assembly.py"),
    Path(NAME, "core", "engine.py"),
}  # make it, and say whether it is there
CYTHON_IMPORT = re.compile(
    r"\s*(?:from\s+(?P<module>\S+)\s+c?import\s+\(?\s*(?P<name>[\w*]*)|c?import\s+(?P<whole>\S+))"
)


def package_of(module: list[str]) -> str:
    """The package below commscaffoldd that a module, given by the parts of its name, belongs to."""
    if module[1:3] == ["core", "native"]:
        return "native"
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
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == NAME:
                is_package = len(parts) > 1 and (parts[1] in ALLOWED or parts[1] in SINGLE_FILES)
                yield node.lineno, parts if is_package else parts[:1]


def imports_alone(cython: str) -> str:
    """The import lines of a Cython source as Python, on the same lines."""
    lines = []
    for line in cython.splitlines():
        found = CYTHON_IMPORT.match(line)
        if found is None:
            lines.append("")
        elif found["whole"]:
            lines.append(f"import {found['whole']}")
        else:
            lines.append(f"from {found['module']} import {found['name'] or '*'}")
    return "\n".join(lines)


def wrong_imports(source: str, file: Path) -> list[str]:
    module = list(file.with_suffix("").parts)
    own = package_of(module)
    allowed = ALLOWED[own] | {own} | ({"native"} if file in KNOW_NATIVE else set())
    tree = ast.parse(source if file.suffix in {".py", ".pyi"} else imports_alone(source))
    return [
        f"{file}:{line}: {own or NAME} imports {'.'.join(target)}"
        for line, target in imports_of(tree, module[:-1])
        if package_of(target) not in allowed
    ]


def test_no_package_imports_one_above_it() -> None:
    files = [file for kind in ("*.py", "*.pyi", "*.pyx", "*.pxd") for file in sorted((ROOT / NAME).rglob(kind))]
    assert {file.suffix for file in files} == {".py", ".pyi", ".pyx", ".pxd"}
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
        "import commscaffoldd.core.native.wire",
        "from commscaffoldd.core.native import wire",
        "from commscaffoldd.core import native",
        "from . import native",
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


@pytest.mark.parametrize(
    "source",
    [
        "from commscaffoldd.worker.process cimport run_worker",
        "    from commscaffoldd.worker cimport process",
        "cimport commscaffoldd.worker.process",
        "import commscaffoldd.worker.process",
        "from commscaffoldd.worker.process cimport (",
    ],
)
def test_each_way_to_write_a_wrong_import_in_cython_is_seen(source: str) -> None:
    cython = f"cdef int seven = 7\n{source}\ncdef class Wire:\n    pass\n"
    (line,) = wrong_imports(cython, Path("commscaffoldd/core/native/wire.pyx"))
    assert line.startswith("commscaffoldd/core/native/wire.pyx:2: native imports commscaffoldd.worker")


def test_right_imports_in_cython_are_left_alone() -> None:
    cython = "from libc.stdint cimport int64_t\nfrom commscaffoldd.core cimport slot\nfrom .frames cimport cut\n"
    assert wrong_imports(cython, Path("commscaffoldd/core/native/wire.pyx")) == []
