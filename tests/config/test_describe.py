"""Values and types in words."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, inspect

from commscaffoldd.config.describe import describe_type, describe_value, did_you_mean


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (7, "7"),
        (1 << 255, "an integer of 256 bits"),
        (0.5, "0.5"),
        ("a", '"a"'),
        ("ü", '"ü"'),
        ("a\n\x1b", '"a\\n\\u001b"'),
        ("x" * 999, '"' + "x" * 79 + '…" (shortened)'),
        ([], "an empty array"),
        ([1], "an array"),
        ({}, "a table"),
        (date(2026, 1, 2), "the date or time 2026-01-02"),
    ],
)
def test_what_was_found(value: object, words: str) -> None:
    assert describe_value(value) == words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (bool, "true or false"),
        (int, "an integer"),
        (Annotated[int, Meta(ge=1, le=5)], "an integer from 1 to 5"),
        (Annotated[float, Meta(gt=0)], "a number above 0"),
        (Annotated[float, Meta(ge=0.000001, lt=1)], "a number at least 0.000001 and below 1"),
        (Literal["b", "a", "c"], '"a", "b" or "c"'),
        (Literal["a"], '"a"'),
        (tuple[bool, ...], "an array, each element true or false"),
        (
            Annotated[tuple[int, ...], Meta(min_length=1)],
            "an array of at least 1 elements, each element an integer",
        ),
        (Annotated[int, Meta(ge=1, description="documented")], "an integer at least 1"),
    ],
)
def test_what_is_allowed(kind: Any, words: str) -> None:
    assert describe_type(inspect.type_info(kind)) == words


def test_a_type_without_words_is_found_when_the_schema_is_tested() -> None:
    with pytest.raises(TypeError, match="no words"):
        describe_type(inspect.type_info(bytes))


def test_did_you_mean_is_silent_when_nothing_is_near() -> None:
    assert did_you_mean("worker", ["workers", "user"]) == '; did you mean "workers"?'
    assert did_you_mean("colour", ["workers", "user"]) == ""
