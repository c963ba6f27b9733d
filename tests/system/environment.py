"""The environment of programs that tests run as a person would."""

from __future__ import annotations

import os
from typing import Final

OURS: Final = ("COMMSCAFFOLDD_", "PYTEST", "MAKE", "MFLAGS")
"""The beginnings of variables that are this test run's: `make test` tells the make below it that it is one."""


def persons_environment() -> dict[str, str]:
    """Without what this test run has put there."""
    return {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
