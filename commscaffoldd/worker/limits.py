"""File descriptors: a worker takes as many as its connections need, and as the system allows."""

from __future__ import annotations

import logging

from commscaffoldd.core.descriptors import SERVING, allow_descriptors, most_descriptors

logger = logging.getLogger(__name__)


def raise_descriptor_limit(connections: int) -> None:
    """Raise the soft limit of open files so that this many connections fit, up to the hard limit."""
    wanted, most = connections + SERVING, most_descriptors()
    allow_descriptors(min(wanted, most))
    if most < wanted:
        logger.warning(
            f"the limit of open files is {most}, too few for connections.max = {connections}: "
            f"{wanted} are needed (LimitNOFILE= in the unit, or ulimit -n)"
        )
