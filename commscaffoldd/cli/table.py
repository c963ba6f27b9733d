"""Tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_GAP = "  "


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of aligned columns. A head that begins with `>` makes its column flush right."""
    right = [head.startswith(">") for head in heads]
    cells = [[head.lstrip(">") for head in heads], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        _GAP.join(
            cell.rjust(width) if flush_right else cell.ljust(width)
            for cell, width, flush_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def pairs(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of a name and what it is, aligned. A name left empty continues the one above."""
    found = list(rows)
    width = max((len(name) for name, _ in found), default=0)
    return [f"{name.ljust(width)}{_GAP}{value}".rstrip() for name, value in found]
