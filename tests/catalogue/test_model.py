"""The catalogue, in and out of JSON."""

from __future__ import annotations

import json

import pytest

from commscaffoldd.catalogue.layouts import describe_layout, restore_layout
from commscaffoldd.catalogue.model import VERSION, Catalogue, CatalogueError
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.catalogue.sample import sample

CUSTOM = Layout(
    "mine",
    LayoutSpec(
        fields=("magic:u16=0xCAFE", "skip:u8", "length:u24", "id:u64", "sequence:u16", "crc32:u32"),
        byte_order="little",
        length_counts="frame",
        length_adjustment=-3,
    ),
)


def test_it_survives_json() -> None:
    catalogue = sample()
    assert Catalogue.from_builtins(json.loads(json.dumps(catalogue.to_builtins()))) == catalogue


@pytest.mark.parametrize("layout", [*PRESETS.values(), CUSTOM], ids=lambda layout: layout.name)
def test_a_layout_comes_back_as_it_was(layout: Layout) -> None:
    again = restore_layout(describe_layout(layout))
    body = b"x" * 20
    assert again.encode(7, 9, body) == layout.encode(7, 9, body)
    assert (again.name, again.spec.length_counts, again.max_body) == (
        layout.name,
        layout.spec.length_counts,
        layout.max_body,
    )


def test_where_fields_stand() -> None:
    found = describe_layout(CUSTOM)
    assert [(one.name, one.offset, one.bits) for one in found.fields] == [
        ("magic", 0, 16),
        ("skip", 2, 8),
        ("length", 3, 24),
        ("id", 6, 64),
        ("sequence", 14, 16),
        ("crc32", 16, 32),
    ]
    assert found.fields[0].value == 0xCAFE
    assert found.header_size == 20


@pytest.mark.parametrize("content", [None, [], {}, {"version": VERSION + 1}, {"version": VERSION, "limits": 3}])
def test_anything_else_is_refused(content: object) -> None:
    with pytest.raises(CatalogueError):
        Catalogue.from_builtins(content)
