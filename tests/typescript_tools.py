"""Node.js and the TypeScript compiler, for tests of generated TypeScript. `make test` installs the compiler."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "tests" / "typescript"
BUILD: Final = ROOT / "build" / "typescript"
MODULES: Final = BUILD / "node_modules"

needs_typescript = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / ".bin" / "tsc").exists(),
    reason="needs Node.js and the TypeScript compiler, which `make test` installs if npm is there and its registry",
)


def compiled(sources: Mapping[str, str]) -> Path:
    """The folder with these files (by path in it), compiled with all checks; the compiler must not complain.

    It takes seconds: what it has made of the same files once is kept, for all processes, until `make clean`.
    """
    settings = (SOURCES / "tsconfig.json").read_text()
    made_from = json.dumps([sorted(sources.items()), settings, (SOURCES / "package-lock.json").read_text()])
    kept = BUILD / "compiled" / hashlib.sha256(made_from.encode()).hexdigest()[:32]
    kept.parent.mkdir(exist_ok=True)
    with (kept.parent / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes at once would all compile the same
        if not kept.exists():
            _compile({**sources, "tsconfig.json": settings, "package.json": '{"type": "module"}\n'}, kept)
    return kept


def _compile(files: Mapping[str, str], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name) / "made"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        (folder / "node_modules").symlink_to(MODULES)
        line = [str(MODULES / ".bin" / "tsc"), "--project", str(folder)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
        os.replace(folder, target)  # noqa: PTH105  # a folder, in one step
