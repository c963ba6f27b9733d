"""The test kit for plugins: the real worker on a port, handlers without sockets, a fake connection, a fake clock.

With pytest there is nothing to import: installing commscaffoldd brings the fixtures `server`, `plugin`, `connection`
and `clock` (docs/testing.md). What they give, and what other test frameworks can use, is imported from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from commscaffoldd.testing.clock import FakeClock
    from commscaffoldd.testing.connection import FakeConnection, Push
    from commscaffoldd.testing.exchange import Exchange
    from commscaffoldd.testing.failures import Errors, WorkerError
    from commscaffoldd.testing.harness import PluginHarness, load_plugin
    from commscaffoldd.testing.server import Server, start_server

__all__ = [
    "Errors",
    "Exchange",
    "FakeClock",
    "FakeConnection",
    "PluginHarness",
    "Push",
    "Server",
    "WorkerError",
    "load_plugin",
    "start_server",
]

_WHERE: Final = {
    "Errors": "failures",
    "Exchange": "exchange",
    "FakeClock": "clock",
    "FakeConnection": "connection",
    "PluginHarness": "harness",
    "Push": "connection",
    "Server": "server",
    "WorkerError": "failures",
    "load_plugin": "harness",
    "start_server": "server",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # what the name stands for
    """Import what is asked for, then: every run of pytest imports this package, and most need nothing of it."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
