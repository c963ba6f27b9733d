"""The page of a protocol: all that a client's developer has to know, section by section."""

from __future__ import annotations

from collections.abc import Iterator

from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.catalogue.pages.blocks import Block, Code, Heading, Page, Plain, Table, inline, paragraph
from commscaffoldd.catalogue.pages.frames import frame_section
from commscaffoldd.catalogue.pages.messages import message_section
from commscaffoldd.catalogue.pages.rules import rule_sections
from commscaffoldd.catalogue.pages.types import type_section


def protocol_page(catalogue: Catalogue) -> Page:
    """The page. The same catalogue gives the same page."""
    return Page(
        catalogue.title,
        (
            paragraph(
                f"How to speak with this server, made by commscaffoldd {catalogue.daemon_version} "
                "from its configuration and plugins."
            ),
            *_listeners(catalogue),
            *frame_section(catalogue),
            *message_section(catalogue),
            *type_section(catalogue),
            *rule_sections(catalogue),
        ),
    )


def _listeners(catalogue: Catalogue) -> Iterator[Block]:
    yield Heading(2, (Plain("Where it listens"),), "listeners")
    rows = []
    for one in catalogue.listeners:
        without_id = catalogue.layout(one.layout).field("id") is None
        controls = [f"error replies: {one.error_id}"] if one.error_id is not None else []
        controls += [f"go away: {one.go_away_id}"] if one.go_away_id is not None else []
        text = f"all frames are message {one.default_id}" if without_id else "; ".join(controls) or "none"
        rows.append(((Code(one.address),), inline(f"`{one.layout}`"), inline(text)))
    yield Table("Listeners", ("Address", "Header layout", "Message IDs of the daemon's own"), tuple(rows))
