from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.client.histogram import RELATIVE_ERROR, Histogram

NANOSECONDS = st.integers(0, 86_400 * 10**9)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_small_values_are_exact() -> None:
    histogram = filled(list(range(1, 101)))
    assert [histogram.percentile(percent) for percent in (1, 50, 90, 99, 100)] == [1, 50, 90, 99, 100]
    assert (histogram.count, histogram.max, histogram.mean) == (100, 100, 50.5)


def test_nothing_recorded_is_all_zero() -> None:
    histogram = Histogram()
    assert (histogram.percentile(50), histogram.max, histogram.mean, histogram.buckets()) == (0, 0, 0.0, [])


def test_a_value_recorded_many_times_at_once_counts_as_often() -> None:
    histogram = Histogram()
    histogram.record(10, 99)
    histogram.record(1000)
    assert (histogram.count, histogram.percentile(99), histogram.percentile(99.1)) == (100, 10, 1000)


def test_what_is_longer_than_it_can_count_goes_into_the_last_bucket() -> None:
    histogram = filled([1 << 60, 1 << 61])
    assert histogram.max == histogram.percentile(50) == (1 << 48) - 1


@given(st.lists(NANOSECONDS, min_size=1), st.floats(0.001, 100))
def test_a_percentile_is_that_of_the_sorted_values_or_a_little_above(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert exact <= filled(values).percentile(percent) <= exact * (1 + RELATIVE_ERROR)


@given(st.lists(NANOSECONDS))
def test_each_value_is_in_one_bucket_and_buckets_do_not_overlap(values: list[int]) -> None:
    buckets = filled(values).buckets()
    for bucket in buckets:
        assert bucket.count == sum(bucket.low <= value <= bucket.high for value in values)
    assert sum(bucket.count for bucket in buckets) == len(values)
    assert all(one.high < next_one.low for one, next_one in itertools.pairwise(buckets))
