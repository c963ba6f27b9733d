from collections.abc import Callable
from typing import Any

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.route import Route

class Way:
    function: Callable[[Any], object]
    troubled: bool
    def __init__(self, route: Route) -> None: ...
    @property
    def route(self) -> Route: ...

# Made by the dispatcher alone.
class NativeRequest:
    @property
    def connection(self) -> Connection: ...
    @property
    def id(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def route(self) -> Route: ...
