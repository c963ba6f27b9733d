"""The catalogue of a worker's handlers and configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.config.load import parse
from commscaffoldd.plugin.host import load_plugins
from commscaffoldd.worker.catalogue import catalogue_of

CONFIG = """
[[listen]]
address = "127.0.0.1:9000"
[[listen]]
address = "127.0.0.1:9001"
layout = "erlang"
default_id = 7
[heartbeat]
interval = 5.0
misses = 2
[flood]
enabled = false
"""

PLUGIN = """
from __future__ import annotations
from collections.abc import Iterator
import msgspec
from commscaffoldd import handler

class Question(msgspec.Struct):
    'What to ask.'
    text: str

@handler(1, open=True)
def raw(request) -> bytes:
    'Takes it.'
@handler(2)
def unsaid(request): ...
@handler(3)
def nothing(request, body: Question) -> None: ...
@handler(4, format="json")
def maybe(request, body: Question) -> Question | None: ...
@handler(5)
def counts(request, body: int) -> Iterator[int]:
    yield 1
@handler(6, timeout=2.0)
def says(request, body: str) -> str: ...
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "ask.py").write_text(PLUGIN)
    return catalogue_of(parse(CONFIG, tmp_path / "c.toml"), load_plugins([tmp_path], (), {}))


def test_listeners_and_limits_are_those_of_the_configuration(catalogue: Catalogue) -> None:
    assert [(one.address, one.layout, one.default_id) for one in catalogue.listeners] == [
        ("127.0.0.1:9000", "standard", 1),
        ("127.0.0.1:9001", "erlang", 7),
    ]
    assert catalogue.listeners[0].error_id == 2**32 - 1
    assert (catalogue.limits.heartbeat_interval, catalogue.limits.silence) == (5.0, 10.0)
    assert catalogue.limits.flood_rate is None


def test_messages_are_what_the_handlers_signatures_say(catalogue: Catalogue) -> None:
    found = [
        (one.name, one.body.format, one.reply and one.reply.format, one.may_be_silent, one.stream, one.open)
        for one in catalogue.messages
    ]
    assert found == [
        ("raw", "bytes", "bytes", False, False, True),
        ("unsaid", "bytes", "bytes", True, False, False),
        ("nothing", "msgpack", None, True, False, False),
        ("maybe", "json", "json", True, False, False),
        ("counts", "msgpack", "msgpack", False, True, False),
        ("says", "str", "str", False, False, False),
    ]
    assert [one.timeout for one in catalogue.messages] == [30.0, 30.0, 30.0, 30.0, 30.0, 2.0]


def test_types_and_descriptions_come_from_the_source(catalogue: Catalogue) -> None:
    raw, _, nothing, *_ = catalogue.messages
    assert raw.doc == "Takes it."
    assert nothing.body.type == wire.Reference("Question")
    assert catalogue.type_named("Question").doc == "What to ask."
