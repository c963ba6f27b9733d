"""Exit codes of the command, beside 0 and click's 2 for wrong usage."""

from __future__ import annotations

from typing import Final

FAILURE: Final = 1
DOWN: Final = 3  # `status` found no daemon
NOT_PERMITTED: Final = 4
NOT_RUNNING: Final = 7
CONFIGURATION: Final = 78  # the configuration or a plugin
INTERRUPTED: Final = 130  # Ctrl-C
