from __future__ import annotations

from commscaffoldd.client.sequence import SequenceField, sequence_field
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec


def test_it_stands_behind_the_fields_before_it() -> None:
    assert sequence_field(PRESETS["standard"]) == SequenceField(offset=8, size=4)
    spec = LayoutSpec(fields=("magic:u16=0xCAFE", "length:u24", "skip:u8", "sequence:u16", "id:u16"))
    assert sequence_field(Layout("mine", spec)) == SequenceField(offset=6, size=2)


def test_a_layout_without_it_has_none() -> None:
    assert sequence_field(PRESETS["compact"]) is None


def test_after_the_largest_comes_one_because_zero_is_a_push() -> None:
    field = SequenceField(0, 1)
    assert (field.largest, field.after(0), field.after(254), field.after(255)) == (255, 1, 255, 1)
