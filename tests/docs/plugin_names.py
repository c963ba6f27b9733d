"""What a plugin's own tests would import from it."""

from __future__ import annotations

from typing import Any

from commscaffoldd.testing import PluginHarness


def names_of(plugin: PluginHarness, message_id: int) -> dict[str, Any]:
    """Those of the plugin's module, as its tests would import them."""
    function: Any = plugin.host.routes[message_id].function
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return dict(function.__globals__)
