"""Hypothesis strategies: random header layouts, and messages that fit them."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

from hypothesis import strategies as st

from commscaffoldd.core.framing import Frame
from commscaffoldd.core.layout import PRESETS, Layout, LayoutError, LayoutSpec

WIDTHS = (8, 16, 24, 32, 64)


@st.composite
def magics(draw: Any) -> str:
    bits = draw(st.sampled_from(WIDTHS))
    return f"magic:u{bits}={draw(st.integers(0, (1 << bits) - 1)):#x}"


@st.composite
def specs(draw: Any) -> LayoutSpec:
    width = st.sampled_from(WIDTHS)
    fields = [f"length:u{draw(width)}"]
    fields += [f"{name}:u{draw(width)}" for name in ("id", "sequence") if draw(st.booleans())]
    fields += ["crc32:u32"] * draw(st.integers(0, 1))
    fields += [draw(magics()) for _ in range(draw(st.integers(0, 2)))]
    fields += [f"skip:u{draw(width)}" for _ in range(draw(st.integers(0, 2)))]
    return LayoutSpec(
        tuple(draw(st.permutations(fields))),
        draw(st.sampled_from(("big", "little"))),
        draw(st.sampled_from(("body", "frame"))),
        draw(st.integers(-40, 40)),
    )


@st.composite
def layouts(draw: Any) -> Layout:
    """A preset or a custom layout."""
    if draw(st.booleans()):
        return PRESETS[draw(st.sampled_from(sorted(PRESETS)))]
    while True:
        with contextlib.suppress(LayoutError):  # no body fits, with that adjustment
            return Layout.from_spec("mine", draw(specs()))


def message(layout: Layout, default_id: int, max_body: int) -> st.SearchStrategy[Frame]:
    """A message as a reader of this layout gives it back."""
    largest = min(max_body, layout.max_body)
    top = layout.max_id if layout.has_id else 0
    sequence_bits = next((int(f.partition(":u")[2]) for f in layout.spec.fields if f.startswith("sequence")), 0)
    return st.tuples(
        st.integers(0, top) if layout.has_id else st.just(default_id),
        st.integers(0, (1 << sequence_bits) - 1),
        st.binary(min_size=min(layout.min_body, largest), max_size=largest),
    )


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, split at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]
