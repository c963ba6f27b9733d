"""Plans of who gives how many connections to whom."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.master.rebalance import plan


@pytest.mark.parametrize(
    ("before", "transfers"),
    [
        ({}, []),
        ({"a": 7}, []),
        ({"a": 3, "b": 3}, []),
        ({"a": 4, "b": 3}, []),
        ({"a": 6, "b": 0}, [("a", "b", 3)]),
        ({"a": 9, "b": 0, "c": 0}, [("a", "c", 3), ("a", "b", 3)]),
    ],
)
def test_examples(before: Any, transfers: Any) -> None:
    assert plan(before) == transfers


@given(st.dictionaries(st.integers(), st.integers(0, 10_000), min_size=1, max_size=50))
def test_afterwards_numbers_differ_by_one_at_most_and_nobody_gives_and_takes(before: Any) -> None:
    after, transfers = Counter(before), plan(before)
    for giver, taker, count in transfers:
        assert count > 0
        after[giver] -= count
        after[taker] += count
    assert sum(after.values()) == sum(before.values())
    assert max(after[one] for one in before) - min(after[one] for one in before) <= 1
    assert not {giver for giver, _, _ in transfers} & {taker for _, taker, _ in transfers}
    assert len(transfers) < len(before)
