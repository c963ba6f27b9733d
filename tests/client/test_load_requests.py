from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.client.load_requests import Requests
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec

SHORT = Layout("short", LayoutSpec(fields=("length:u16", "id:u16", "sequence:u8", "crc32:u32")))
WIDE = Layout("wide", LayoutSpec(fields=("sequence:u24", "magic:u16=0xCAFE", "length:u24"), byte_order="little"))
LAYOUTS = [*PRESETS.values(), SHORT, WIDE]


@given(st.sampled_from(LAYOUTS), st.integers(0, 255), st.integers(1, 300), st.binary(max_size=50))
def test_the_frames_are_those_that_the_layout_encodes(layout: Layout, last: int, count: int, body: bytes) -> None:
    requests = Requests(layout, 7, body)
    sequences = list(requests.sequences_after(last, count))
    assert len(sequences) == count
    assert requests.encode(sequences, count) == b"".join(layout.encode(7, sequence, body) for sequence in sequences)


def test_sequences_count_on_and_begin_again_at_one() -> None:
    assert list(Requests(PRESETS["standard"], 1, b"").sequences_after(0, 3)) == [1, 2, 3]
    assert list(Requests(SHORT, 1, b"").sequences_after(253, 4)) == [254, 255, 1, 2]


@pytest.mark.parametrize(("layout", "message_id"), [(PRESETS["compact"], 1), (PRESETS["standard"], 0)])
def test_without_a_sequence_and_for_heartbeats_it_is_0(layout: Layout, message_id: int) -> None:
    assert list(Requests(layout, message_id, b"").sequences_after(0, 3)) == [0, 0, 0]


def test_what_does_not_fit_the_layout_is_said() -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        Requests(PRESETS["compact"], 65536, b"")
