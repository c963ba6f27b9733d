"""Calling a program's callbacks from a thread of the client, which must outlive whatever they do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
logger: Final = logging.getLogger("commscaffoldd.client")


def notify(callback: Callable[[T], object], argument: T, what: str) -> None:
    """Call it. What it raises is logged, with `what` it is; `sys.exit()`, too, which would end this thread alone."""
    try:
        callback(argument)
    except (Exception, SystemExit):
        logger.exception("%s has failed", what)
