"""Examples of bodies are what the plugin's own types accept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from commscaffoldd.catalogue.making import BodyFacts, HandlerFacts, make_catalogue
from commscaffoldd.catalogue.model import Body
from commscaffoldd.catalogue.values import NoExample, example
from tests.catalogue import bodies
from tests.catalogue.sample import HANDLERS, facts, sample


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda one: f"{one.id}-{one.name}")
def test_the_daemon_would_accept_it(handler: object) -> None:
    catalogue = sample()
    message = next(one for one in catalogue.messages if one.id == handler.id)  # type: ignore[attr-defined]
    _, data = example(catalogue, message.body)
    annotation = handler.body.annotation  # type: ignore[attr-defined]
    if message.body.format == "msgpack":
        msgspec.msgpack.decode(data, type=annotation)
    elif message.body.format == "json":
        msgspec.json.decode(data, type=annotation)
    else:
        assert data


def test_a_type_without_an_end_has_none() -> None:
    class Endless(msgspec.Struct):
        next: Endless

    Endless.__annotations__["next"] = Endless
    catalogue = sample(handlers=[facts(1, "f", Endless, ...)])
    with pytest.raises(NoExample):
        example(catalogue, catalogue.messages[0].body)


def test_a_format_that_is_not_known_has_none() -> None:
    with pytest.raises(NoExample):
        example(sample(), Body("protobuf", None, "Shape"))


def test_a_tree_ends_where_it_may() -> None:
    catalogue = sample(handlers=[facts(1, "f", bodies.Tree, ...)])
    value, data = example(catalogue, catalogue.messages[0].body)
    assert value == {"value": 1}
    assert msgspec.msgpack.decode(data, type=bodies.Tree).kids == []


@pytest.mark.parametrize("kind", [dict, dict[Any, Any], dict[tuple[Any, ...], int]])
def test_a_map_by_anything_has_none_in_json(kind: object) -> None:
    handler = HandlerFacts(1, "f", "p", body=BodyFacts("json", kind))
    catalogue = make_catalogue(
        title="P", daemon_version="0", endpoints=[], limits=sample().limits, handlers=[handler]
    )
    with pytest.raises(NoExample):
        example(catalogue, catalogue.messages[0].body)
