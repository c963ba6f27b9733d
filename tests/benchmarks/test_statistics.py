from __future__ import annotations

import pytest
from msgspec.structs import replace

from benchmarks.suite.results import Run
from benchmarks.suite.statistics import by_round, cpu, middle, rate, ratio, summarize
from tests.benchmarks.runs import idle, load_result, results, rounds


def test_the_median_is_not_moved_by_one_bad_round() -> None:
    assert middle({1: 100.0, 2: 101.0, 3: 5.0}) == 100.0


def test_without_measurements_there_is_no_median() -> None:
    assert middle({}) is None


def test_a_ratio_compares_within_rounds() -> None:
    # The second round ran on a machine that was half as quick: the ratio of the medians would be 110/150.
    own = {1: 220.0, 2: 110.0, 3: 100.0}
    other = {1: 200.0, 2: 100.0, 3: 150.0}

    assert ratio(own, other) == pytest.approx(1.1)


def test_a_ratio_takes_only_rounds_that_both_have() -> None:
    assert ratio({1: 200.0, 2: 900.0}, {1: 100.0, 3: 1.0}) == 2.0
    assert ratio({1: 200.0}, {2: 100.0}) is None


def test_a_measurement_with_errors_does_not_count() -> None:
    good, bad = rounds("uvloop", [100.0, 900.0])
    runs = [good, replace(bad, failure="3 errors")]

    assert by_round(runs, "50x1x64B", "uvloop", rate) == {1: 100.0}


def test_cpu_time_is_for_each_message_of_both_kinds() -> None:
    fast = load_result(rate=900.0, cpu_us=5000)
    both = replace(fast, beside=replace(fast.fast, messages=100))

    assert cpu(Run(round=1, scenario="beside", server="uvloop", load=both)) == 5.0


def test_a_server_that_has_answered_nothing_has_no_cpu_time_for_a_message() -> None:
    assert load_result(rate=0.0).cpu_us_per_message == 0.0


def test_a_summary_has_medians_spread_and_ratios() -> None:
    found = results(
        *rounds("c-loop", [400.0, 400.0, 400.0]),
        *rounds("uvloop", [100.0, 200.0, 100.0]),
        *rounds("native-pool", [150.0, 240.0, 120.0]),
    )

    rows = summarize(found, "50x1x64B", "uvloop", "c-loop")

    assert [row.server for row in rows] == ["c-loop", "uvloop", "native-pool"]
    assert (rows[2].rate, rows[2].lowest, rows[2].highest) == (150.0, 120.0, 240.0)
    assert rows[2].to_yardstick == pytest.approx(1.2)
    assert rows[2].to_c_loop == pytest.approx(0.375)


def test_a_summary_has_only_servers_of_its_scenario() -> None:
    found = results(*rounds("uvloop", [100.0]), idle("gevent", 9000.0))

    assert [row.server for row in summarize(found, "50x1x64B", "uvloop", "c-loop")] == ["uvloop"]
    assert [row.idle_bytes for row in summarize(found, "idle", "uvloop", "c-loop")] == [9000.0]
