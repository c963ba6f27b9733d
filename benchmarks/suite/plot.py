"""The picture: for each scenario a bar for each server, with the ratio to uvloop."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Final

from benchmarks.suite.results import Results
from benchmarks.suite.scenarios import SCENARIOS, Scenario
from benchmarks.suite.servers import C_LOOP, YARDSTICK
from benchmarks.suite.statistics import Row, summarize

COLUMNS: Final = 2
WIDTH, ROW_HEIGHT = 6.4, 0.28  # inches
TITLE_WIDTH: Final = 60  # characters
OWN, PEER, MARKED = "#1f6f8b", "#b8b8b8", "#6b6b6b"


def draw(results: Results, path: Path) -> None:
    """Write the picture as PNG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415  # wanted only here; the tables need it not

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  # the same

    measured = {run.scenario for run in results.runs}
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in measured]
    tables = [summarize(results, scenario.name, YARDSTICK, C_LOOP) for scenario in scenarios]
    lines = -(-len(scenarios) // COLUMNS)
    height = lines * (max(map(len, tables), default=1) * ROW_HEIGHT + 1.0)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(COLUMNS * WIDTH, height), squeeze=False)
    places = list(axes.flat)
    for place, scenario, rows in zip(places, scenarios, tables, strict=False):
        _draw_scenario(place, scenario, rows[::-1])  # the first one on top
    for place in places[len(scenarios) :]:
        place.set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_scenario(place: Any, scenario: Scenario, rows: list[Row]) -> None:  # noqa: ANN401  # matplotlib's Axes
    values = [(row.idle_bytes if scenario.idle else row.rate) or 0.0 for row in rows]
    bars = place.barh([row.server for row in rows], values, color=[_color(row.server) for row in rows])
    place.bar_label(bars, [_label(scenario, row) for row in rows], padding=3, fontsize=8)
    if not scenario.idle:
        spread = [
            [value - (row.lowest or value) for row, value in zip(rows, values, strict=True)],
            [(row.highest or value) - value for row, value in zip(rows, values, strict=True)],
        ]
        place.errorbar(values, range(len(rows)), xerr=spread, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    place.set_title(textwrap.fill(scenario.title, TITLE_WIDTH), fontsize=9)
    place.set_xlabel("bytes for a connection" if scenario.idle else "messages a second (to uvloop)", fontsize=8)
    place.tick_params(labelsize=8)
    place.set_xlim(0, max([*values, *((row.highest or 0.0) for row in rows)]) * 1.35 or 1.0)  # room for the labels
    place.xaxis.set_major_formatter("{x:,.0f}")


def _color(server: str) -> str:
    if server in {YARDSTICK, C_LOOP}:
        return MARKED
    return OWN if server.startswith(("native", "python")) else PEER


def _label(scenario: Scenario, row: Row) -> str:
    if scenario.idle:
        return f"{row.idle_bytes:,.0f}" if row.idle_bytes is not None else "not measured"
    if row.rate is None:
        return "not measured"
    return f"{row.rate:,.0f}" + (f" ({row.to_yardstick:.2f}x)" if row.to_yardstick is not None else "")
