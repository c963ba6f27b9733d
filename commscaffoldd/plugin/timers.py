"""Timers: functions of a plugin that are called again and again. The worker runs them, see `worker.timer_thread`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

from commscaffoldd.plugin.injection import Provided, values_of
from commscaffoldd.plugin.kinds import is_coroutine_function
from commscaffoldd.plugin.marks import leave_mark, target_of

TIMER_MARK: Final = "commscaffoldd_timer"
"""The attribute in which `every` leaves a `TimerMark`."""

SHORTEST: Final = 0.01  # seconds
LONGEST: Final = 86400 * 365

Workers: TypeAlias = Literal["all", "one"]
TimerFunction = TypeVar("TimerFunction", bound=Callable[..., object])


@dataclasses.dataclass(frozen=True, slots=True)
class TimerMark:
    """`@every` on a function: the period in seconds, and in which workers it runs."""

    seconds: float
    workers: Workers


@dataclasses.dataclass(frozen=True, slots=True)
class Timer:
    """One timer of a plugin, ready to be run.

    Attributes:
        plugin: whose it is.
        name: the function's qualified name.
        mark: see there.
        function: takes what is in `injected`; a coroutine function, if `is_async`.
        injected: values by the parameters' names, there once `worker_started` has returned.
    """

    plugin: str
    name: str
    mark: TimerMark
    function: Callable[..., Any]
    injected: Mapping[str, Provided]

    @property
    def is_async(self) -> bool:
        """Whether it is to be run on the event loop."""
        return is_coroutine_function(self.function)

    def __call__(self) -> Any:  # noqa: ANN401  # a coroutine, if it is async
        """Call the function with all that it wants; whatever it raises passes through."""
        return self.function(**values_of(self.injected))

    def __str__(self) -> str:
        """As it is named in the log."""
        return f"timer {self.name} of plugin {self.plugin}"


def every(seconds: float, /, *, workers: Workers = "all") -> Callable[[TimerFunction], TimerFunction]:
    """Have a function called every so many seconds, as long as a worker serves. It may be `async def`.

    Its parameters are injected by their annotations. It never overlaps with itself; what it raises is logged.

    Args:
        seconds: from the beginning of one call to that of the next, and until the first one; 0.01 to a year.
        workers: `all`: each worker calls it. `one`: one worker of the daemon does, and if that ends another one; on
            one grid of times for all of them, so that a reload neither leaves a call out nor makes it twice.

    Raises:
        TypeError: the period is no number, or what is decorated is no function.
        ValueError: the period is out of range, or there is no such choice of workers, or the function has a timer.
    """
    allowed = f"seconds from {SHORTEST:g} to {LONGEST:,}"
    if callable(seconds):
        raise TypeError("@every needs the period: write @every(60)")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise TypeError(f"every({seconds!r}): a period is {allowed}")
    if not SHORTEST <= seconds <= LONGEST:  # not a number is outside, too
        raise ValueError(f"every({seconds!r}): a period is {allowed}")
    if workers not in ("all", "one"):
        raise ValueError(f"every({seconds:g}, workers={workers!r}): workers is 'all' or 'one'")
    mark = TimerMark(float(seconds), workers)

    def decorate(function: TimerFunction) -> TimerFunction:
        marked = target_of(function)
        if marked is None:
            kind = function.__name__ if isinstance(function, type) else type(function).__name__
            raise TypeError(f"@every({seconds:g}) belongs on a function or method, not on {kind}")
        if hasattr(marked, TIMER_MARK):
            raise ValueError(f"@every({seconds:g}): the function has a timer already: call it from a second function")
        leave_mark(f"@every({seconds:g})", function, TIMER_MARK, mark)
        return function

    return decorate
