from __future__ import annotations

import math
from typing import Any

import pytest

from commscaffoldd.client.settings import Settings, read_layout
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS

HERE = Address.parse("127.0.0.1:9000")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": 0.0}, r"timeout = 0; allowed: more than 0 seconds"),
        ({"connect_timeout": -1.0}, r"connect_timeout = -1; allowed"),
        ({"heartbeat": 0.0}, r"heartbeat = 0; allowed"),
        ({"heartbeat": math.inf}, r"heartbeat = inf; allowed: more than 0 seconds, at most 1e\+08"),
        ({"timeout": math.nan}, r"timeout = nan; allowed"),
        ({"max_in_flight": 1_000_001}, r"max_in_flight = 1000001; allowed: 1 to 1000000"),
        ({"push_queue": 0}, r"push_queue = 0; allowed: 1 and more"),
        ({"max_in_flight": 0}, r"max_in_flight = 0; allowed"),
        ({"connections": 1001}, r"connections = 1001; allowed: 1 to 1000"),
        ({"server_hostname": "x"}, r"server_hostname is for TLS; allowed: with tls=True"),
    ],
)
def test_an_option_that_cannot_be_says_what_is_allowed(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Settings(address=HERE, layout=PRESETS["standard"], **options)


def test_a_layout_is_read_as_the_configuration_has_it() -> None:
    table = {"fields": ["length:u16", "id:u16"], "byte_order": "little", "length_counts": "frame"}
    assert read_layout(table).encode(1, 0, b"x") == b"\x05\x00\x01\x00x"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("standart", "there is no layout 'standart'; allowed: standard, compact"),
        ({"fields": ["length:u16"], "order": "big"}, "not a layout: .*order"),
        ({"fields": ["length:u16"], "byte_order": "middle"}, "not a layout: .*byte_order"),
        (["id:u16"], "no length field"),
        ([1], "not a layout"),
    ],
)
def test_what_is_no_layout(wrong: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        read_layout(wrong)
