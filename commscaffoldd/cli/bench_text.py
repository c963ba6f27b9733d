"""The result of a bench, for people."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from typing import Final, NamedTuple, TextIO

from commscaffoldd.cli.bench_json import PERCENTILES
from commscaffoldd.cli.table import pairs, table
from commscaffoldd.cli.units import number, size
from commscaffoldd.client.errors import ErrorReply
from commscaffoldd.client.histogram import Histogram
from commscaffoldd.client.load_errors import ENDED_BY_SERVER, ErrorCount, Kind
from commscaffoldd.client.load_result import LoadResult

_BAR_WIDTH: Final = 40
_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_DIGITS: Final = 3
# 10, 15, 20, 30, 50, 70, 100, ... nanoseconds: numbers that a person reads at a glance, and nearly evenly apart
_MARKS: Final = tuple(step * 10**power for power in range(14) for step in (10, 15, 20, 30, 50, 70))


class Glyphs(NamedTuple):
    """Characters that not every terminal has.

    Attributes:
        micro: for microseconds.
        dash: between two numbers.
        bar: blocks that fill a cell more and more, the last one wholly.
    """

    micro: str
    dash: str
    bar: str


UNICODE: Final = Glyphs("µ", "–", "▏▎▍▌▋▊▉█")  # noqa: RUF001  # the dash is meant
ASCII: Final = Glyphs("u", "-", "#")


def glyphs_of(stream: TextIO) -> Glyphs:
    """What can be shown there."""
    if os.environ.get("TERM") == "dumb":
        return ASCII
    try:
        "".join(UNICODE).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def bench_text(result: LoadResult, glyphs: Glyphs) -> list[str]:
    """Lines: what was done, the rate, the latencies and their distribution, what went wrong, what to think of it."""
    return [
        *_head(result),
        "",
        *pairs(
            [
                ("messages", f"{number(result.window.messages)}, {number(round(result.rate))} /s"),
                ("sent", f"{size(result.sent_rate)}/s"),
                ("received", f"{size(result.received_rate)}/s"),
                *_asides(result),
            ]
        ),
        *_latencies(result.latencies, glyphs),
        *_errors(result.errors),
        *_notes(result),
    ]


def duration_of(nanoseconds: float, glyphs: Glyphs = UNICODE) -> str:
    """A latency in the unit that suits it, with three digits: `1.54 ms`."""
    value, unit = _in_unit(nanoseconds, glyphs)
    decimals = max(0, _DIGITS - len(str(int(value)))) if unit != "ns" else 0
    return f"{value:.{decimals}f} {unit}"


def mark_of(nanoseconds: int, glyphs: Glyphs = UNICODE) -> str:
    """A round duration: `1.5 ms`."""
    value, unit = _in_unit(nanoseconds, glyphs)
    return f"{value:g} {unit}"


def bar(share: float, glyphs: Glyphs) -> str:
    """A bar for a share from 0 to 1. What is more than nothing shows at least a sliver."""
    steps = len(glyphs.bar)
    filled = max(1, round(share * _BAR_WIDTH * steps)) if share > 0 else 0
    whole, part = divmod(filled, steps)
    return glyphs.bar[-1] * whole + (glyphs.bar[part - 1] if part else "")


def coarse(histogram: Histogram) -> list[tuple[int, int, int]]:
    """Rows of from, to and count, between round durations; from the first with a value to the last."""
    counts = [0] * len(_MARKS)
    for bucket in histogram.buckets():
        counts[max(0, bisect.bisect_right(_MARKS, bucket.low) - 1)] += bucket.count
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return []
    return [(_MARKS[i], _MARKS[i + 1], counts[i]) for i in range(filled[0], filled[-1] + 1)]


def _in_unit(nanoseconds: float, glyphs: Glyphs) -> tuple[float, str]:
    unit, name = next((one for one in _UNITS if nanoseconds >= one[0]), _UNITS[-1])
    return nanoseconds / unit, name.replace("µ", glyphs.micro)


def _head(result: LoadResult) -> Iterator[str]:
    plan = result.plan
    about = f"layout {plan.layout.name}" + (f", message ID {plan.message_id}" if plan.layout.has_id else "")
    yield f"{plan.address}: {about}, bodies of {number(len(plan.body))} bytes"
    connections = f"{number(plan.connections)} connection{'s' if plan.connections > 1 else ''}"
    early = result.window.seconds < plan.duration
    yield (
        f"{connections}, {number(plan.in_flight)} in flight each; measured for {result.window.seconds:.2f} s "
        f"{f'of {plan.duration:g} s ' if early else ''}after {plan.warm_up:g} s of warm-up"
    )


def _asides(result: LoadResult) -> Iterator[tuple[str, str]]:
    if result.pushes:
        yield "pushes", f"{number(result.pushes)}, left out"
    if result.go_aways:
        dropped = f"; {number(result.dropped)} messages under way were dropped" if result.dropped else ""
        yield "go away", f"{number(result.go_aways)}, connected anew{dropped}"


def _latencies(latencies: Histogram, glyphs: Glyphs) -> Iterator[str]:
    if not latencies.count:
        return
    shown = [latencies.percentile(percent) for percent in PERCENTILES]
    heads = [f">{head}" for head in (*(f"p{percent:g}" for percent in PERCENTILES), "max")]
    yield ""
    names, values = table(heads, [[duration_of(value, glyphs) for value in (*shown, latencies.max)]])
    yield from pairs([("latency", names), ("", values)])
    yield ""
    rows = coarse(latencies)
    most = max(count for _, _, count in rows)
    cells = [
        [mark_of(low, glyphs), glyphs.dash, mark_of(high, glyphs), number(count), bar(count / most, glyphs)]
        for low, high, count in rows
    ]
    yield from table((">", "", ">", ">", ""), cells)[1:]


def _errors(errors: list[ErrorCount]) -> Iterator[str]:
    if errors:
        yield ""
        yield from table((">ERRORS", "WHAT"), [(number(error.count), _what(error)) for error in errors])


def _what(error: ErrorCount) -> str:
    if error.kind is Kind.ERROR_REPLY:
        return f"error reply: {ErrorReply(error.code or 0, error.text, 0)}"
    if error.kind is Kind.WRONG_REPLY:
        return f"wrong reply: {error.text}"
    if error.kind is Kind.OUT_OF_ORDER:
        return f"out of order: {error.text}"
    return error.text


def _notes(result: LoadResult) -> Iterator[str]:
    notes = []
    if result.limited_by_load:
        notes.append(
            f"note: the bench itself used {result.cpu_share:.0%} of a processor core: this is what it can do, "
            "and the server may be able to do more"
        )
    if any(error.kind in ENDED_BY_SERVER for error in result.errors):
        notes.append(
            "note: the server's log may say why it ended connections; here, [flood] and frame.max_body in the "
            "configuration are such reasons. flood.enabled = false lifts the limit of messages a second"
        )
    if any(error.kind is Kind.OUT_OF_ORDER for error in result.errors):
        notes.append("note: handlers declared `concurrent` may answer in any order: --any-order allows that")
    if not result.window.messages and result.pushes:
        notes.append("note: if the replies have an ID other than the requests', name it with --reply-id")
    if notes:
        yield ""
        yield from notes
