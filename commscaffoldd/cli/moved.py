"""What became of connections that were to move from one worker to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commscaffoldd.cli.units import counted


def describe_moves(answer: Mapping[str, Any]) -> list[str]:
    """Lines that say how many moved, and why others could not; none if nothing was tried."""
    if "moved" not in answer:
        return []
    kept = answer.get("kept") or {}
    return [
        f"{counted(answer['moved'], 'connection')} moved",
        *(f"{counted(number, 'connection')} could not: {reason}" for reason, number in kept.items()),
    ]
