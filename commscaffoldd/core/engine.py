"""The engine seam: everything that touches a client's socket is behind it, called with batches.

The reactor polls, the sender and the reactor write, anybody may ask for a closing. Nothing above this interface
sees a socket, or knows what kind of transport a message came by.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct, field

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.deferred import Deferrals
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.moving import ConnectionState, Snapshot
from commscaffoldd.core.slot import Ready, Reply, Slot
from commscaffoldd.core.tap import Tap

VARIABLE: Final = "COMMSCAFFOLDD_ENGINE"
EngineName: TypeAlias = Literal["python", "native"]

Closed: TypeAlias = tuple[Slot, Connection, str, str]
"""A connection that has ended, the slot it had, the reason, and a detail for the log."""


class Batch(Struct, eq=False):
    """All that happened by one wait. To be taken in this order.

    Attributes:
        opened: slots with a new connection.
        arrived: slots, their connections, and the frames cut from what they sent, in order; a slot at most once.
        closed: connections that have ended.
        now: monotonic time of the wait's end.
    """

    opened: list[Slot] = field(default_factory=list)
    arrived: list[tuple[Slot, Connection, list[Frame]]] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    now: float = 0.0


class Engine(Protocol):
    """What an engine does.

    Attributes:
        name: `python` or `native`, as `status` shows it.
        send_buffer: bytes waiting for one client above which it is neither read from nor handled.
        counters: the engine's own, written by the reactor's thread.
        deferrals: messages of its connections that are answered later.
    """

    name: str
    send_buffer: int
    counters: Counters
    deferrals: Deferrals

    def poll(self, timeout: float, budget: int) -> Batch:
        """Wait for events, at most `timeout` seconds; accept, read, cut; send where sockets have become writable.

        Reading stops once `budget` messages have been cut: at most one read's worth more comes out. With a
        budget of 0 or less, connections that have something to read are paused. The reactor's thread.
        """

    def write(self, slots: Iterable[Slot], counters: Counters) -> None:
        """Encode and send what waits in the slots' outboxes, as far as the sockets take it.

        What they do not take stays, and leaves by `poll`. The sender's thread and the reactor's.
        """

    def set_tap(self, tap: Tap | None) -> None:
        """Have this hear of what leaves, from now on; `None`: nobody. Any thread."""

    def flush_soon(self, slot: Slot) -> None:
        """Have the sender write what waits in the slot's outbox. Any thread."""

    def wake(self) -> None:
        """Let `poll` return soon. Any thread."""

    def close(self, slot: Slot, reason: str, detail: str = "") -> None:
        """Close at once. The reactor's thread."""

    def drain(self, slot: Slot, reason: str, detail: str = "") -> None:
        """Read no more; close when all is handled and sent, or after `slow_reader_timeout`. The reactor's thread."""

    def close_soon(self, slot: Slot, generation: int, reason: str, *, drain: bool) -> None:
        """`close` or `drain`, from any thread; nothing happens if the generation has gone meanwhile."""

    def check_drained(self, slot: Slot) -> None:
        """A draining slot may be done: have the reactor look. Any thread."""

    def check_if_draining(self, slot: Slot) -> None:
        """None of the slot's messages runs any more: if it is draining, have the reactor look. Any thread."""

    def resume_soon(self, slot: Slot) -> None:
        """Read from a paused connection again. Any thread; if the cause remains, it is paused again."""

    def resume_if_few(self, slot: Slot) -> None:
        """`resume_soon`, if few of a paused connection's messages wait. Any thread."""

    def resume_all(self) -> None:
        """Read from all paused connections again. The reactor's thread."""

    def shed_slow_reader(self) -> int:
        """Close the client of whose messages most wait until it reads. The reactor's thread.

        Returns:
            How many messages that frees; 0 if there is no such client.
        """

    def stop_accepting(self) -> None:
        """Accept no more, for good. The reactor's thread."""

    def watch_descriptor(self, fd: int, ready: Callable[[], None]) -> None:
        """Have `poll` call this whenever this descriptor has something to read. The reactor's thread."""

    def unwatch_descriptor(self, fd: int) -> None:
        """Watch it no more; before it is closed. The reactor's thread."""

    def adopt(self, fd: int, endpoint: Endpoint, state: ConnectionState) -> Slot:
        """Go on with another worker's connection. The reactor's thread. Raises OSError."""

    def hold(self, slot: Slot) -> bool:
        """See `engine_moving.MovingEngine`, as for the next five. The reactor's thread."""

    def let_go(self, slot: Slot) -> None:
        """It stays: read from a held slot again."""

    def freeze(self, slot: Slot) -> Snapshot | None:
        """Write to it no more, and say what it holds."""

    def thaw(self, slot: Slot) -> None:
        """It stays: go on with a frozen slot."""

    def seal(self, slot: Slot, queued: int) -> list[Reply]:
        """Nothing can be queued any more."""

    def release(self, slot: Slot) -> str:
        """Forget a sealed connection; give why it shall be closed."""

    def unpark(self, work: Ready) -> None:
        """Have work run that was parked."""

    def open_slots(self) -> Sequence[Slot]:
        """A snapshot of the slots with a connection. Any thread."""

    def gauges(self) -> dict[str, int]:
        """Numbers of the moment, by their names in `counters.GAUGES`. The reactor's thread."""

    def close_all(self) -> list[Closed]:
        """Close all connections that are left; give those that no batch has told of yet. The reactor's thread."""

    def shut(self) -> None:
        """Give the engine's own descriptors back. The reactor's thread, once no other uses the engine any more."""


def wanted_engine() -> EngineName:
    """The engine that `COMMSCAFFOLDD_ENGINE` asks for; `auto`: the native one where there is one.

    Raises:
        ValueError: it asks for something else, or for an engine that is not there.
    """
    wanted = os.environ.get(VARIABLE, "auto")
    if wanted not in {"python", "native", "auto"}:
        raise ValueError(f"{VARIABLE} is {wanted!r}; allowed: python, native, auto")
    if wanted == "python":
        return "python"
    missing = why_no_native_engine()
    if missing is None:
        return "native"
    if wanted == "native":
        raise ValueError(f"{VARIABLE} is 'native', but {missing}; allowed: python, auto")
    return "python"


def why_no_native_engine() -> str | None:
    """Why this installation has no native engine that can be used; `None` if it has one. Imports it, to find out."""
    # Only here: the seam itself knows neither engine.
    from commscaffoldd.core.native.built import why_not_built  # noqa: PLC0415

    return why_not_built()
