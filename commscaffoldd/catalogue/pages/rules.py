"""What holds for all messages: error replies, the daemon's own message IDs, order, limits."""

from __future__ import annotations

from collections.abc import Iterator

from commscaffoldd.catalogue.errors import FIRST_OF_PLUGINS
from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.catalogue.pages.blocks import Block, Bullets, Heading, Plain, Table, inline, paragraph


def rule_sections(catalogue: Catalogue) -> Iterator[Block]:
    """The sections after the messages."""
    yield from _errors(catalogue)
    yield from _controls(catalogue)
    yield Heading(2, (Plain("Order"),), "order")
    yield paragraph(
        "Messages of one connection are handled one at a time and in the order in which they came, and so are "
        "answered in that order, unless a message says otherwise. Heartbeats, and error replies for unknown message "
        "IDs, are answered at once and may overtake. Pushes, which answer no request, come whenever they come. The "
        "sequence, where a header layout has one, tells what belongs together."
    )
    yield from _limits(catalogue)


def _errors(catalogue: Catalogue) -> Iterator[Block]:
    yield Heading(2, (Plain("Error replies"),), "errors")
    if all(one.error_id is None for one in catalogue.listeners):
        yield paragraph("This server sends none: what goes wrong is in its log alone.")
        return
    yield paragraph(
        "In place of a reply an error reply may come: a frame with the highest message ID that the header can hold, "
        "and the request's sequence. Its body, big-endian in every layout: the request's message ID (4 bytes), a "
        "code (2 bytes), then text in UTF-8, which may be empty."
    )
    yield Table(
        "Codes of error replies",
        ("Code", "Name", "Means"),
        (
            *((inline(str(one.code)), inline(one.name), inline(one.meaning)) for one in catalogue.errors),
            (inline(f"{FIRST_OF_PLUGINS} and above"), inline(""), inline("The handlers' own.")),
        ),
    )


def _controls(catalogue: Catalogue) -> Iterator[Block]:
    yield Heading(2, (Plain("Heartbeat and go away"),), "controls")
    yield paragraph(
        "Message ID 0 without a body is the heartbeat: it is answered with the same frame. Any frame counts as a "
        "sign of life, so a client that talks need not send it. Where the header layout has no message ID there is "
        "none."
    )
    limits = catalogue.limits
    if limits.silence is not None and limits.heartbeat_interval is not None:
        yield paragraph(
            f"A client should be heard every {limits.heartbeat_interval:g} seconds. "
            f"After {limits.silence:g} seconds of silence it is disconnected."
        )
    else:
        yield paragraph("Silent clients are not disconnected.")
    if any(one.go_away_id is not None for one in catalogue.listeners):
        yield paragraph(
            "The highest message ID but one, with sequence 0 and without a body, is go away: the server is about to "
            "close this connection, and has sent all replies before. Connect anew."
        )


def _limits(catalogue: Catalogue) -> Iterator[Block]:
    limits = catalogue.limits
    yield Heading(2, (Plain("Limits"),), "limits")
    rules = [
        f"A request's body has at most {limits.max_body:,} bytes; a larger length ends the connection.",
        f"A frame takes at most {limits.frame_timeout:g} seconds from its first byte to its last.",
        "A wrong constant or a wrong checksum in a header ends the connection.",
        "A client that does not read its replies is not served until it does, and is disconnected after a while.",
    ]
    if limits.flood_rate is not None and limits.flood_burst is not None:
        rules.append(
            f"A connection that sends more than {limits.flood_rate:,g} messages a second, after "
            f"{limits.flood_burst:,} at once, is closed."
        )
    yield Bullets(tuple(map(inline, rules)))
