"""The tracebacks behind plugins' errors, for who develops them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from commscaffoldd.plugin.errors import PluginError

LOG = logging.getLogger(__name__)


def log_causes(errors: Iterable[PluginError]) -> None:
    """Log what each plugin has raised, with its traceback. At debug level: the error itself is told elsewhere."""
    for error in errors:
        if error.cause is not None:
            LOG.debug(f"plugin {error.plugin}", exc_info=error.cause)
