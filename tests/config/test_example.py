"""The configuration that comes with the source: complete, true, and good as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli
from msgspec import structs

from commscaffoldd.config.load import SECTIONS, load, parse
from commscaffoldd.config.schema import Listen
from commscaffoldd.core.layout import LayoutSpec

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "etc" / "commscaffoldd.toml"
REFERENCE = ROOT / "docs" / "configuration.md"


def defaults_of(kind: Any) -> dict[str, Any]:
    return {key.name: None if key.required else key.default for key in structs.fields(kind)}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_stands_in_the_example_with_its_default(section: str) -> None:
    written = tomli.loads(EXAMPLE.read_text())[section]
    arrays_as_tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}
    assert arrays_as_tuples == defaults_of(SECTIONS[section])


def test_it_listens_for_both_presets_on_this_machine_only() -> None:
    first, second = load(EXAMPLE).listen
    assert first == Listen()
    assert (second.address, second.layout) == ("127.0.0.1:9001", "compact")
    assert tomli.loads(EXAMPLE.read_text())["listen"][0] == defaults_of(Listen)


def test_the_plugins_of_the_checkout_are_meant() -> None:
    assert load(EXAMPLE).plugins.path == (str(ROOT / "plugins"),)


def test_the_commented_out_layout_is_right_once_it_is_uncommented() -> None:
    lines = EXAMPLE.read_text().splitlines()
    start = lines.index("# [layout.mine]")
    text = "\n".join(line.removeprefix("# ") for line in lines[start : start + 5])
    written = tomli.loads(text)["layout"]["mine"]
    assert {**written, "fields": None} == defaults_of(LayoutSpec)
    config = parse(f"{text}\n[[listen]]\nlayout = 'mine'", EXAMPLE)
    assert config.layout_of(config.listen[0]).header_size == 2 + 3 + 2 + 4 + 4


@pytest.mark.parametrize("kind", [*SECTIONS.values(), Listen, LayoutSpec])
def test_every_key_is_in_the_reference_with_its_default(kind: Any) -> None:
    text = REFERENCE.read_text()
    section = {Listen: "[[listen]]", LayoutSpec: "[layout.NAME]"}.get(kind)
    if section is None:
        section = next(f"[{name}]" for name, known in SECTIONS.items() if known is kind)
    part = text.partition(f"## `{section}`")[2].partition("\n## ")[0]
    for key in structs.fields(kind):
        default = "none: it must be there" if key.required else f"`{json.dumps(key.default)}`"
        assert f"| `{key.name}` | {default} |" in part
