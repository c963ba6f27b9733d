"""Node.js and the TypeScript compiler, for tests of generated TypeScript. `make test` installs the compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "tests" / "typescript"
MODULES: Final = ROOT / "build" / "typescript" / "node_modules"

needs_typescript = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / ".bin" / "tsc").exists(),
    reason="needs Node.js, and the TypeScript compiler that `make test` installs where npm is there",
)


def compile_all(folder: Path) -> None:
    """Compile the folder's *.ts, with every check that the compiler has; it must not complain."""
    shutil.copy(SOURCES / "tsconfig.json", folder)
    (folder / "package.json").write_text('{"type": "module"}\n')
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES)
    done = subprocess.run(
        [str(MODULES / ".bin" / "tsc"), "--project", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
