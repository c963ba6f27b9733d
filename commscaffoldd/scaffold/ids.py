"""Message IDs that are free for a new plugin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FIRST: Final = 1001
STEP: Final = 100  # IDs for each plugin: it will have more messages soon
LAST: Final = 65001  # what 16 bits can carry, in the layout `compact` for one

_NUMBER: Final = re.compile(r"(?<![\w.])[0-9][0-9_]*(?![\w.])")


def free_id(folder: Path) -> int:
    """The first ID of a block of which no Python file in the folder has a number.

    Plugins are not loaded for this: a number in their text is what can be seen without running them.
    """
    used = {int(number) for file in sorted(folder.rglob("*.py")) for number in _numbers(file)}
    for first in range(FIRST, LAST, STEP):
        if not any(first <= number < first + STEP for number in used):
            return first
    return FIRST


def _numbers(file: Path) -> list[str]:
    try:
        return _NUMBER.findall(file.read_text(errors="replace"))
    except OSError:
        return []
