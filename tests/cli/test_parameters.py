"""Arguments that click does not know: sizes, speeds."""

from __future__ import annotations

from typing import Any, cast

import click
import pytest

from commscaffoldd.cli.parameters import to_size, to_speed

NONE = cast("Any", None)


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("64K", 65536), ("256M", 256 << 20), ("2g", 2 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert to_size(NONE, NONE, text) == size


@pytest.mark.parametrize("text", ["", "0", "K", "-1", "1.5M", "10 K", "1T", "²"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no size; allowed: a number of bytes from 1 on"):
        to_size(NONE, NONE, text)


@pytest.mark.parametrize(("text", "speed"), [("max", 0.0), ("1", 1.0), ("0.5", 0.5), ("1e3", 1000.0)])
def test_speeds(text: str, speed: float) -> None:
    assert to_speed(NONE, NONE, text) == speed


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "nan", "inf"])
def test_wrong_speeds(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no speed; allowed: max, or a number above 0"):
        to_speed(NONE, NONE, text)
