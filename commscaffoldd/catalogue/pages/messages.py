"""The messages of a protocol: a table of all, then each with its description, its bodies and an example."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from commscaffoldd.catalogue.model import Body, Catalogue, Message
from commscaffoldd.catalogue.pages.blocks import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Link,
    Listing,
    Plain,
    Table,
    docstring,
    inline,
    paragraph,
    summary,
)
from commscaffoldd.catalogue.pages.frames import hex_frame
from commscaffoldd.catalogue.pages.types import body_words
from commscaffoldd.catalogue.values import NoExample, example


def message_section(catalogue: Catalogue) -> Iterator[Block]:
    """What clients can send."""
    yield Heading(2, (Plain("Messages"),), "messages")
    if not catalogue.messages:
        yield paragraph("There are none.")
        return
    yield Table(
        "All messages",
        ("ID", "Name", "Plugin", "Does"),
        tuple(
            (inline(str(one.id)), (Link(one.name, _anchor(one)),), (Plain(one.plugin),), inline(summary(one.doc)))
            for one in catalogue.messages
        ),
    )
    for one in catalogue.messages:
        yield from _message(catalogue, one)


def _anchor(message: Message) -> str:
    return f"message-{message.id}"


def _message(catalogue: Catalogue, message: Message) -> Iterator[Block]:
    yield Heading(3, (Plain(f"{message.id} "), Code(message.name)), _anchor(message))
    yield from docstring(message.doc, f"Description of {message.name}")
    yield Bullets(tuple(_facts(message)))
    layout = next((one for one in catalogue.layouts if one.field("id") is not None), None)
    if layout is None or message.body.format == "bytes":  # of which no more is known
        return
    try:
        value, body = example(catalogue, message.body)
        frame = hex_frame(layout, message.id, 1, body)
    except (NoExample, ValueError):  # no value is known, or it does not fit the layout
        return
    said = _in_json(value, message.body)
    yield paragraph(
        f"For example {said}on layout `{layout.name}`:" if said else f"For example, on layout `{layout.name}`:"
    )
    yield Listing(frame, f"An example of message {message.id} {message.name}, in hexadecimal")


def _facts(message: Message) -> Iterator[Inline]:
    yield (Plain("Body: "), *body_words(message.body))
    yield (Plain("Reply: "), *_reply(message))
    if message.open:
        yield inline("May be sent before the connection is authenticated.")
    if "concurrent" in message.mode:
        yield inline("Handled without order: its reply may come after those of later messages.")
    if message.timeout:
        yield inline(f"Takes at most {message.timeout:g} seconds; then comes error 4.")


def _reply(message: Message) -> Inline:
    if message.reply is None:
        return (Plain("none"),)
    words = body_words(message.reply)
    if message.stream:
        return (*words, Plain("; any number of them, each with the request's sequence"))
    return (*words, Plain("; it may be missing")) if message.may_be_silent else words


def _in_json(value: object, body: Body) -> str:
    """A value for people; empty if JSON does not show it better than the frame does."""
    if body.format in {"bytes", "str"}:
        return ""
    try:
        return f"``{msgspec.json.encode(value).decode()}`` "
    except (TypeError, ValueError):
        return ""
