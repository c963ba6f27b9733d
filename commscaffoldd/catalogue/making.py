"""Makes a catalogue of what a worker knows: its endpoints, its limits, and facts about its handlers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from commscaffoldd.catalogue.errors import ERROR_CODES
from commscaffoldd.catalogue.inspection import describe_types
from commscaffoldd.catalogue.layouts import describe_layout, describe_listener
from commscaffoldd.catalogue.model import Body, Catalogue, Limits, Message
from commscaffoldd.catalogue.wire_types import Type
from commscaffoldd.core.endpoint import Endpoint

_WITH_INSIDE: Final = ("msgpack", "json", "bytes", "str")
"""Formats of which the catalogue knows how types look in them; of others it has the type's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class BodyFacts:
    """What a handler's signature says of a body.

    Attributes:
        format: the codec's name.
        annotation: the Python type.
    """

    format: str = "bytes"
    annotation: Any = bytes

    @property
    def name(self) -> str:
        """The type as the plugin's source calls it."""
        annotation = self.annotation
        return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


@dataclasses.dataclass(frozen=True, slots=True)
class HandlerFacts:
    """What is known of a message ID's handler; the attributes are those of `model.Message`."""

    id: int
    name: str
    plugin: str
    mode: str = "pool"
    timeout: float = 0.0
    doc: str = ""
    body: BodyFacts = BodyFacts()  # frozen
    reply: BodyFacts | None = None
    may_be_silent: bool = False
    stream: bool = False
    open: bool = False


def make_catalogue(
    *,
    title: str,
    daemon_version: str,
    endpoints: Sequence[Endpoint],
    limits: Limits,
    handlers: Sequence[HandlerFacts],
) -> Catalogue:
    """The catalogue. Never raises for what a plugin's types are like."""
    bodies = [body for one in handlers for body in (one.body, one.reply) if body is not None]
    inside = [body for body in bodies if body.format in _WITH_INSIDE]
    table = describe_types([body.annotation for body in inside])
    types = {id(body): type_ for body, type_ in zip(inside, table.types, strict=True)}
    layouts = {endpoint.layout.name: endpoint.layout for endpoint in endpoints}
    return Catalogue(
        title=title,
        daemon_version=daemon_version,
        listeners=tuple(map(describe_listener, endpoints)),
        layouts=tuple(map(describe_layout, layouts.values())),
        messages=tuple(_message(one, types) for one in sorted(handlers, key=lambda one: one.id)),
        errors=ERROR_CODES,
        limits=limits,
        types=table.named,
        schemas=table.schemas,
    )


def _message(facts: HandlerFacts, types: dict[int, Type]) -> Message:
    return Message(
        id=facts.id,
        name=facts.name.rpartition(".")[2],
        plugin=facts.plugin,
        mode=facts.mode,
        timeout=facts.timeout,
        body=_body(facts.body, types),
        reply=None if facts.reply is None else _body(facts.reply, types),
        doc=facts.doc,
        may_be_silent=facts.may_be_silent,
        stream=facts.stream,
        open=facts.open,
    )


def _body(facts: BodyFacts, types: dict[int, Type]) -> Body:
    return Body(facts.format, types.get(id(facts)), facts.name)
