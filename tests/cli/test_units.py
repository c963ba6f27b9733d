from __future__ import annotations

import pytest

from commscaffoldd.cli.units import duration, number, size


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (-1, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600 + 59, "1 h"),
        (86400 * 400 + 7200, "400 d 2 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB"), (1 << 60, "1048576.0 TiB")],
)
def test_sizes_have_a_fitting_unit(count: int, shown: str) -> None:
    assert size(count) == shown


def test_numbers_have_their_thousands_apart() -> None:
    assert number(1234567) == "1,234,567"
