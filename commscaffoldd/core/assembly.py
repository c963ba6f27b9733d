"""A worker's core: a path for the messages, and what drives it, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from commscaffoldd.core.business_pool import BusinessPool
from commscaffoldd.core.counters import Counters
from commscaffoldd.core.departures import Departures
from commscaffoldd.core.engine import EngineName
from commscaffoldd.core.path import Path, PathSettings
from commscaffoldd.core.python_path import make_python_path
from commscaffoldd.core.reactor import Lifecycle, Reactor
from commscaffoldd.core.sender import Sender
from commscaffoldd.core.tap import Tap

SENDER_STOP: Final = 1.0  # seconds


class Core:
    """Reactor, business pool and sender around one engine. For the main thread.

    Attributes:
        path: the parts that messages pass.
        departures: lets connections go to another worker.
        reactor: the loop, for the main thread to run.
        pool: the business threads.
        sender: the sender's thread.
        counters: of all threads.
    """

    def __init__(
        self, engine: EngineName, settings: PathSettings, lifecycle: Lifecycle, tick: Callable[[dict[str, int]], None]
    ) -> None:
        """Make all parts; nothing runs yet. To be called after the fork.

        Args:
            engine: which one; it must be there.
            settings: limits, listeners, routes.
            lifecycle: hooks of connections.
            tick: called a few times a second with the gauges.
        """
        self.path = _make_path(engine, settings)
        self.pool = BusinessPool(self.path.loops, self.path.end_one_loop)
        self.sender = Sender(self.path.send_loop, self.path.end_send_loop)
        self.reactor = Reactor(
            self.path.engine,
            self.path.dispatcher,
            self.path.backlog,
            flood=settings.flood,
            lifecycle=lifecycle,
            tick=tick,
        )
        self.departures = Departures(
            self.path.engine, self.path.dispatcher, lifecycle.handing_over, lifecycle.adopted
        )
        self.counters: list[Counters] = [
            self.reactor.counters,
            self.path.engine.counters,
            self.sender.counters,
            self.path.engine.deferrals.counters,
            *self.path.counters,
        ]

    def start(self) -> None:
        """Start the threads."""
        self.pool.start()
        self.sender.start()

    def stop(self, timeout: float) -> int:
        """End the threads once the reactor has ended; handlers may take `timeout` seconds.

        Returns:
            How many handlers still ran then.
        """
        busy = self.pool.stop(timeout)
        self.sender.stop(SENDER_STOP)
        return busy

    def set_tap(self, tap: Tap | None) -> None:
        """Have this hear of all messages from now on; `None`: nobody. Any thread."""
        self.reactor.tap = tap
        self.path.engine.set_tap(tap)

    def gauges(self) -> dict[str, int]:
        """The numbers of the moment. The reactor's thread, or any once that has ended."""
        return self.reactor.gauges()


def _make_path(engine: EngineName, settings: PathSettings) -> Path:
    if engine == "native":
        # Only where it is wanted: where it has not been built there is no such module.
        from commscaffoldd.core.native.path import make_native_path  # noqa: PLC0415

        return make_native_path(settings)
    return make_python_path(settings)
