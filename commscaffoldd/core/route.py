"""A route: which function answers a message ID, and on which thread it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

Mode: TypeAlias = "Literal['pool', 'concurrent', 'inline', 'async', 'async concurrent']"
"""What an author asks for."""

Place: TypeAlias = "Literal['pool', 'concurrent', 'inline']"
"""Where a function is called. That of an `async` handler only hands it on, to the thread of the event loop."""

PLACES: Final[Mapping[Mode, Place]] = {
    "pool": "pool",
    "concurrent": "concurrent",
    "inline": "inline",
    "async": "inline",
    "async concurrent": "concurrent",
}


@dataclasses.dataclass(slots=True, eq=False)
class Route:
    """One message ID's handler.

    Nobody changes it but the quarantine, see there.

    Attributes:
        id: the message ID, from 1.
        function: the handler; takes a `Request`, returns `bytes` for a reply or `None` for none.
        plugin: the plugin's name.
        name: the function's qualified name within the plugin, as `routes` and the log show it.
        mode: `pool` (a pool thread, in order per connection), `concurrent` (a pool thread, without order), `inline`
            (the reactor's own thread, in order), `async` (the event loop, in order) or `async concurrent`.
        timeout: seconds after which a handler that still runs is given up; 0: never, `None`: as is configured.
        open: clients who have not logged in may send it, too.
        cancel_on_close: an async handler is cancelled when its connection closes.
        troubled: its last message failed, or it is quarantined: the quarantine wants to hear of a success, too.
        place: where `function` is called.
    """

    id: int
    function: Callable[[Any], object]
    plugin: str
    name: str
    mode: Mode
    timeout: float | None = None
    troubled: bool = False
    open: bool = False
    cancel_on_close: bool = False
    place: Place = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Derive the place."""
        self.place = PLACES[self.mode]

    @property
    def is_async(self) -> bool:
        """Whether `function` gives an awaitable."""
        return self.mode.startswith("async")


RouteTable: TypeAlias = Mapping[int, Route]
