from __future__ import annotations

from msgspec.structs import replace

from benchmarks.suite.report import number, report, table
from tests.benchmarks.runs import idle, results, rounds


def test_a_table_is_markdown_with_its_columns_under_each_other() -> None:
    assert table(("server", "rate"), [("uvloop", "1,000"), ("c", "7")]).splitlines() == [
        "| server |  rate |",
        "| :----- | ----: |",
        "| uvloop | 1,000 |",
        "| c      |     7 |",
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    assert number(None) == "-"
    assert number(1234.5678, 2) == "1,234.57"


def test_each_measured_scenario_has_its_table() -> None:
    text = report(results(*rounds("uvloop", [1000.0]), *rounds("native-pool", [1500.0]), idle("uvloop", 1550.0)))

    assert "## 50x1x64B" in text
    assert "| native-pool |      1,500 |      1.50 |" in text
    assert "| uvloop |            1,550 |" in text
    assert "## 500x1x64B" not in text


def test_targets_say_whether_they_are_reached() -> None:
    lines = report(results(*rounds("uvloop", [1000.0]), *rounds("native-pool", [1500.0]))).splitlines()

    (pooled,) = [line for line in lines if line.startswith("| 50x1x64B: native-pool to uvloop")]
    assert pooled.split("|")[2:5] == ["    ≥ 1x ", "    1.50x ", "      reached "]
    assert any("python-pool" in line and "not measured" in line for line in lines)


def test_failures_and_servers_that_are_left_out_are_told() -> None:
    (run,) = rounds("uvloop", [1000.0])
    text = report(results(replace(run, failure="3 errors"), left_out={"native-pool": "no native engine"}))

    assert "- 50x1x64B, uvloop, round 1: 3 errors" in text
    assert "- native-pool: no native engine" in text


def test_disturbed_measurements_are_counted() -> None:
    calm, busy = rounds("uvloop", [1000.0, 1000.0])

    assert "disturbed: 1 of 2 measurements" in report(results(calm, replace(busy, others=0.4)))
