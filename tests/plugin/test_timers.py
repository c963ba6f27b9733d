"""`@every`: what it takes, and what it leaves on the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from commscaffoldd.plugin.timers import TIMER_MARK, TimerMark, every

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop


def test_the_function_stays_what_it_was() -> None:
    def clean() -> int:
        return 7

    assert every(60, workers="one")(clean) is clean
    assert getattr(clean, TIMER_MARK) == TimerMark(60.0, "one")
    assert clean() == 7


def clean() -> None: ...


@pytest.mark.parametrize(
    ("mark", "error", "says"),
    [
        (lambda: every(clean), TypeError, r"@every needs the period: write @every\(60\)"),  # type: ignore[arg-type]
        (lambda: every("60"), TypeError, "every\\('60'\\): a period is seconds from 0.01 to 31,536,000"),  # type: ignore[arg-type]
        (lambda: every(True), TypeError, "a period is seconds"),
        (lambda: every(0), ValueError, r"every\(0\): a period is seconds from 0.01"),
        (lambda: every(float("nan")), ValueError, "a period is seconds"),
        (lambda: every(1, workers="two"), ValueError, "workers is 'all' or 'one'"),  # type: ignore[arg-type]
        (lambda: every(1)(TimerMark), TypeError, "belongs on a function or method, not on TimerMark"),
        (lambda: every(2)(every(1)(lambda: None)), ValueError, "the function has a timer already"),
    ],
)
def test_a_wrong_timer_says_what_is_right(mark: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        mark()


def test_all_of_a_plugins_timers_are_found(shop: Workshop) -> None:
    shop.write(
        "clock.py",
        """
        from commscaffoldd import every

        @every(60)
        def clean(): ...

        @every(0.5, workers="one")
        async def report(): ...
        """,
    )
    found = [(str(one), one.mark.seconds, one.mark.workers, one.is_async) for one in shop.load().timers]
    assert found == [
        ("timer clean of plugin clock", 60.0, "all", False),
        ("timer report of plugin clock", 0.5, "one", True),
    ]


def test_a_generator_is_no_timer(shop: Workshop) -> None:
    shop.write("clock.py", "from commscaffoldd import every\n@every(60)\ndef clean(): yield")
    assert shop.errors() == [
        (
            "plugin clock: clock.py:2: timer clean is a generator (it contains yield): nobody takes what it yields; "
            "use return"
        )
    ]
