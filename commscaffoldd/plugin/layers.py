"""What is put around a handler, in types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Function: TypeAlias = Callable[[Any], Any]
"""Takes a request; gives what a handler returns, or an awaitable of that if the handler is `async def`."""

Layer: TypeAlias = Callable[[Function], Function]
"""Makes of a function one that does more."""
