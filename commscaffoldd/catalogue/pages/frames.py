"""How frames look: the fields of each header layout, and frames that the daemon's own encoder has made."""

from __future__ import annotations

from collections.abc import Iterator

from commscaffoldd.catalogue.layouts import restore_layout
from commscaffoldd.catalogue.model import Catalogue, HeaderField, HeaderLayout, Listener
from commscaffoldd.catalogue.pages.blocks import Block, Code, Heading, Listing, Plain, Table, inline, paragraph
from commscaffoldd.core.endpoint import UNKNOWN_ID, encode_error
from commscaffoldd.core.layout import HEARTBEAT_ID

_MEANING = {
    "id": "the message ID",
    "sequence": "chosen by the client, not 0; a reply carries its request's. 0 in a push",
    "crc32": "CRC-32 of the body, as in zlib, gzip and PNG; 0 for an empty body",
    "skip": "not looked at; send 0",
}
_WIDTH = 16  # bytes in a line


def frame_section(catalogue: Catalogue) -> Iterator[Block]:
    """Each layout once."""
    yield Heading(2, (Plain("Frames"),), "frames")
    yield paragraph(
        "Everything is sent in frames, a header and a body. The stream is cut by the length alone: a frame may "
        "arrive in any pieces, and several in one."
    )
    for layout in catalogue.layouts:
        listener = next(one for one in catalogue.listeners if one.layout == layout.name)
        yield from _layout(catalogue, layout, listener)


def _layout(catalogue: Catalogue, layout: HeaderLayout, listener: Listener) -> Iterator[Block]:
    yield Heading(3, (Plain("Header layout "), Code(layout.name)), f"layout-{layout.name}")
    yield paragraph(
        f"The header has {layout.header_size} bytes; numbers are unsigned and {layout.byte_order}-endian. "
        f"{length_rule(layout)} A body has {layout.min_body:,} to {layout.max_body:,} bytes "
        f"(requests: at most {catalogue.limits.max_body:,})."
    )
    yield Table(
        f"Header of layout {layout.name}",
        ("Offset", "Bytes", "Field", "Holds"),
        tuple(
            (inline(str(one.offset)), inline(str(one.bits // 8)), (Code(one.name),), inline(_holds(one, layout)))
            for one in layout.fields
        ),
    )
    for label, message_id, sequence, body in _examples(catalogue, layout, listener):
        yield paragraph(f"{label}:")
        yield Listing(hex_frame(layout, message_id, sequence, body), f"{label}, in hexadecimal")


def length_rule(layout: HeaderLayout) -> str:
    """What the length field says, in words."""
    counts = "of header and body together" if layout.length_counts == "frame" else "of the body alone"
    adjustment = layout.length_adjustment
    if not adjustment:
        return f"The length is that {counts}, in bytes."
    more = f"{abs(adjustment)} {'less' if adjustment > 0 else 'more'} than that"
    return f"The length is {more} {counts}, in bytes."


def hex_frame(layout: HeaderLayout, message_id: int, sequence: int, body: bytes) -> str:
    """A frame in hexadecimal, a line for each field and for sixteen bytes of the body, made by the real encoder."""
    data = restore_layout(layout).encode(message_id, sequence, body)
    lines = []
    for one in layout.fields:
        part = data[one.offset : one.offset + one.bits // 8]
        number = int.from_bytes(part, "little" if layout.byte_order == "little" else "big")
        shown = f"{number:#x}" if one.name in {"crc32", "magic"} else str(number)
        lines.append((part, f"{one.name} {shown}"))
    for start in range(layout.header_size, len(data), _WIDTH):
        part = data[start : start + _WIDTH]
        lines.append((part, f"body {printable(part)}"))
    width = max(len(part) for part, _ in lines) * 3
    return "\n".join(f"{part.hex(' '):<{width}} {text}" for part, text in lines)


def printable(data: bytes) -> str:
    """Bytes as ASCII, with a dot for each that is none."""
    return "".join(chr(one) if 0x20 <= one < 0x7F else "." for one in data)  # noqa: PLR2004  # ASCII


def _holds(field: HeaderField, layout: HeaderLayout) -> str:
    if field.value is not None:
        return f"always `{field.value:#0{field.bits // 4 + 2}x}`; anything else ends the connection"
    if field.name == "length":
        return "header and body" if layout.length_counts == "frame" else "the body"
    return _MEANING[field.name]


def _examples(
    catalogue: Catalogue, layout: HeaderLayout, listener: Listener
) -> Iterator[tuple[str, int, int, bytes]]:
    has_id, has_sequence = layout.field("id") is not None, layout.field("sequence") is not None
    first = catalogue.messages[0].id if catalogue.messages else 1
    parts = [f"message {first}"] if has_id else []
    parts += ["sequence 1"] if has_sequence else []
    greeting = b"hello".ljust(layout.min_body, b".")[: layout.max_body]
    yield ", ".join(["A request", *parts]), first, 1, greeting
    if has_id and not layout.min_body:
        yield "A heartbeat, and its answer", HEARTBEAT_ID, 0, b""
    if listener.error_id is not None:
        text = encode_error(first, UNKNOWN_ID, "no handler")[: layout.max_body]
        yield f"An error reply to it, code {UNKNOWN_ID}", listener.error_id, 1, text
    if listener.go_away_id is not None:
        yield "Go away", listener.go_away_id, 0, b""
