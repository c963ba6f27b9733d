"""What is dumped can be loaded again and means the same."""

from __future__ import annotations

from pathlib import Path

import tomli
from msgspec import structs

from commscaffoldd.config.dump import dump
from commscaffoldd.config.load import parse

FILE = Path("/somewhere/etc/x.toml")
ELSEWHERE = Path("/elsewhere/deep/down/y.toml")


def test_dump_and_load_give_an_equal_configuration() -> None:
    config = parse(
        """
        [daemon]
        workers = 3
        [[listen]]
        address = "unix:x.sock"
        layout = "mine"
        [layout.mine]
        fields = ["length:u24", "id:u8"]
        [plugins]
        disabled = ["chat"]
        [plugin.account]
        since = 2026-01-01T00:00:00Z
        odd = [inf, "a\\u0000b", { deep = [[]] }]
        [plugin."a b"]
        """,
        FILE,
    )
    again = parse(dump(config), ELSEWHERE)
    assert structs.replace(again, path=FILE) == config


def test_a_dump_has_every_key_and_says_where_it_came_from() -> None:
    text = dump(parse("", FILE))
    assert text.startswith(f"# The effective configuration of {FILE}\n")
    document = tomli.loads(text)
    assert document["connections"]["max"] == 10000
    assert document["plugins"]["path"] == ["/somewhere/plugins"]
    assert document["listen"][0]["layout"] == "standard"
