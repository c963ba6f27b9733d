from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.suite import native


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the native programs."""
    for compiler in ("cc", "make"):
        if shutil.which(compiler) is None:
            pytest.skip(f"the load generator cannot be built: {compiler} is not installed")
    folder = tmp_path_factory.mktemp("native")
    native.build(folder)
    return folder
