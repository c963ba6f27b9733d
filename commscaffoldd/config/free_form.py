"""Plugin settings are free, but must survive being printed, written as TOML and sent as JSON."""

from __future__ import annotations

from typing import Any, Final

from commscaffoldd.config.describe import describe_value
from commscaffoldd.config.errors import KeyPath
from commscaffoldd.config.findings import Findings

MAX_DEPTH: Final = 64
_INT64: Final = 1 << 63  # all that TOML asks for; larger ones fail in other readers and, printed, in Python itself


def check_free_form(table: dict[str, Any], key: KeyPath, findings: Findings) -> None:
    """Note integers beyond 64 bits and tables in tables without end."""
    # A list of what is still to see, not recursion: one dotted key can nest ten thousand tables.
    waiting: list[tuple[KeyPath, object]] = [(key, table)]
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, (dict, list)) and len(at) > MAX_DEPTH:
            findings.add(key, f"found tables nested deeper than {MAX_DEPTH}; allowed: up to {MAX_DEPTH}")
            return
        if isinstance(value, dict):
            waiting.extend(((*at, str(name)), item) for name, item in value.items())
        elif isinstance(value, list):
            waiting.extend(((*at, index), item) for index, item in enumerate(value))
        elif isinstance(value, int) and not -_INT64 <= value < _INT64:
            findings.add(at, f"found {describe_value(value)}; allowed: integers of 64 bits")
