"""Building the native programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parents[1] / "native"


class BuildError(Exception):
    """The native programs cannot be built; says what is missing, or what the compiler says."""


def build(folder: Path) -> None:
    """Build them into a folder, which is made.

    Raises:
        BuildError: they cannot be built.
    """
    for program, package in (("make", "make"), ("cc", "gcc")):
        if shutil.which(program) is None:
            raise BuildError(
                f"the load generator needs {program}; Debian and Ubuntu have it in the package {package}"
            )
    command = ["make", "--silent", "-C", str(SOURCE), f"BUILD={folder.resolve()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"building the load generator failed:\n{done.stderr.strip()}")
