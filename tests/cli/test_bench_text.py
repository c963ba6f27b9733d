from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.cli.bench_text import ASCII, UNICODE, Glyphs, bar, bench_text, coarse, duration_of, glyphs_of
from commscaffoldd.client.histogram import Histogram
from commscaffoldd.client.load_errors import ErrorCount, Kind
from commscaffoldd.client.load_meter import Window
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_result import LoadResult
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS


def histogram_of(*values: int) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def result_of(
    latencies: Histogram,
    *errors: ErrorCount,
    messages: int = 1000,
    cpu_seconds: float = 0.5,
    pushes: int = 0,
    go_aways: int = 0,
    dropped: int = 0,
) -> LoadResult:
    plan = LoadPlan(Address.parse("127.0.0.1:9000"), PRESETS["standard"], duration=2.0)
    window = Window(2.0, cpu_seconds, messages, 80 * messages, 160 * messages)
    return LoadResult(plan, window, latencies, list(errors), 50, pushes, go_aways, dropped)


def test_the_whole_report_in_ascii() -> None:
    latencies = histogram_of(*[180_000] * 90, *[1_250_000] * 10)
    assert bench_text(result_of(latencies, pushes=3), ASCII) == [
        "127.0.0.1:9000: layout standard, message ID 1, bodies of 64 bytes",
        "50 connections, 1 in flight each; measured for 2.00 s after 0.5 s of warm-up",
        "",
        "messages  1,000, 500 /s",
        "sent      78.1 KiB/s",
        "received  39.1 KiB/s",
        "pushes    3, left out",
        "",
        "latency     p50     p90      p99    p99.9      max",
        "         180 us  180 us  1.25 ms  1.25 ms  1.25 ms",
        "",
        "150 us  -  200 us  90  ########################################",
        "200 us  -  300 us   0",
        "300 us  -  500 us   0",
        "500 us  -  700 us   0",
        "700 us  -    1 ms   0",
        "  1 ms  -  1.5 ms  10  ####",
    ]


def test_errors_are_shown_by_kind() -> None:
    shown = bench_text(
        result_of(
            Histogram(),
            ErrorCount(Kind.ERROR_REPLY, 3, 12345, "it broke"),
            ErrorCount(Kind.WRONG_REPLY, None, 2, "message ID 2 where 1 was expected"),
            ErrorCount(Kind.OUT_OF_ORDER, None, 2, "the reply to sequence 2 overtook that to 1"),
            ErrorCount(Kind.NO_REPLY, None, 1, "no reply within 5 seconds"),
        ),
        ASCII,
    )
    assert shown[7:12] == [
        "ERRORS  WHAT",
        "12,345  error reply: error 3 (handler failed): it broke",
        "     2  wrong reply: message ID 2 where 1 was expected",
        "     2  out of order: the reply to sequence 2 overtook that to 1",
        "     1  no reply within 5 seconds",
    ]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (result_of(Histogram(), cpu_seconds=1.9), "note: the bench itself used 95% of a processor core"),
        (result_of(Histogram(), ErrorCount(Kind.CLOSED, None, 1, "closed")), "flood.enabled = false"),
        (result_of(Histogram(), ErrorCount(Kind.OUT_OF_ORDER, None, 1, "overtook")), "--any-order"),
        (result_of(Histogram(), messages=0, pushes=1), "--reply-id"),
        (result_of(Histogram(), go_aways=2, dropped=5), "2, connected anew; 5 messages under way were dropped"),
    ],
)
def test_what_a_user_should_know(result: LoadResult, said: str) -> None:
    assert said in "\n".join(bench_text(result, UNICODE))
    assert said not in "\n".join(bench_text(result_of(Histogram()), UNICODE))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_900, "1000 µs"),
        (1_540_000, "1.54 ms"),
        (2_000_000_000, "2.00 s"),
        (123_000_000_000, "123 s"),
    ],
)
def test_durations_have_three_digits(nanoseconds: int, text: str) -> None:
    assert duration_of(nanoseconds) == text


def test_bars_fill_cells_by_eighths_and_never_hide_a_value() -> None:
    assert bar(0, UNICODE) == ""
    assert bar(1e-9, UNICODE) == "▏"
    assert bar(0.5 + 1 / 320, UNICODE) == "█" * 20 + "▏"
    assert bar(1, UNICODE) == "█" * 40
    assert (bar(1e-9, ASCII), bar(1, ASCII)) == ("#", "#" * 40)


@given(st.lists(st.integers(0, 86_400 * 10**9), min_size=1))
def test_the_rows_count_every_value_and_have_no_gap(values: list[int]) -> None:
    rows = coarse(histogram_of(*values))
    assert sum(count for _, _, count in rows) == len(values)
    assert all(one[1] == following[0] for one, following in itertools.pairwise(rows))
    assert rows[0][2] > 0
    assert rows[-1][2] > 0


@pytest.mark.parametrize(
    ("encoding", "term", "expected"),
    [("utf-8", "xterm", UNICODE), ("ascii", "xterm", ASCII), ("latin-1", "xterm", ASCII), ("utf-8", "dumb", ASCII)],
)
def test_what_cannot_be_shown_is_ascii(
    monkeypatch: pytest.MonkeyPatch, encoding: str, term: str, expected: Glyphs
) -> None:
    monkeypatch.setenv("TERM", term)
    assert glyphs_of(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is expected
