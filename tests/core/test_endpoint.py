"""Endpoints, and the daemon's own error replies."""

from __future__ import annotations

import pytest

from commscaffoldd.core.endpoint import UNKNOWN_ID, Endpoint, decode_error, encode_error
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.core.slots import make_endpoint


def test_error_replies_only_where_the_layout_has_id_and_sequence() -> None:
    assert make_endpoint("standard").error_reply(7, 3, UNKNOWN_ID, "no") == (
        0xFFFFFFFF,
        3,
        bytes.fromhex("00000007 0001") + b"no",
    )
    assert make_endpoint("compact").error_reply(7, 0, UNKNOWN_ID, "no") is None


def test_control_ids_turns_them_on_where_there_is_an_id() -> None:
    assert make_endpoint("compact", control_ids=True).error_id == 0xFFFF
    assert make_endpoint("erlang", control_ids=True).error_id is None


def test_an_error_reads_back_as_it_was_written() -> None:
    assert decode_error(encode_error(7, 1, "grüße")) == (7, 1, "grüße")
    assert decode_error(encode_error(1 << 40 | 5, 1, ""))[0] == 5
    with pytest.raises(ValueError, match="at least 6 bytes, not 5"):
        decode_error(b"12345")


def custom(length: str, **options: object) -> Endpoint:
    spec = LayoutSpec((length, "id:u8", "sequence:u8"), **options)  # type: ignore[arg-type]
    return make_endpoint(Layout.from_spec("mine", spec))


def test_the_text_is_cut_off_where_bodies_are_small() -> None:
    endpoint = custom("length:u8", length_adjustment=-245)
    assert endpoint.layout.max_body == 10
    reply = endpoint.error_reply(7, 3, UNKNOWN_ID, "no handler")
    assert reply == (255, 3, bytes.fromhex("00000007 0001") + b"no h")
    endpoint.layout.encode(*reply)


def test_no_error_replies_where_none_fits() -> None:
    assert custom("length:u8", length_adjustment=-250).error_id is None
    assert custom("length:u8", length_adjustment=7).error_id is None


def test_no_go_away_where_a_body_cannot_be_empty() -> None:
    assert custom("length:u8", length_adjustment=1).go_away_id is None
    assert custom("length:u8").go_away_id == 254


def test_presets_have_no_smallest_body() -> None:
    assert {layout.min_body for layout in PRESETS.values()} == {0}
