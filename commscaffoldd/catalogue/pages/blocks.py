"""A page as a tree of blocks: written once, and rendered by each format, which escapes all text in one place.

Instead of a template engine: the two formats have no line in common, and the page has far more logic than text. In a
tree nothing can be forgotten to be escaped, since nothing in it is Markdown or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct

_CODE: Final = re.compile(r"``(?P<double>.+?)``|`(?P<single>[^`]+)`", re.DOTALL)


class Plain(Struct, frozen=True, tag=True):
    """Text."""

    text: str


class Code(Struct, frozen=True, tag=True):
    """Text in a fixed-width font."""

    text: str


class Link(Struct, frozen=True, tag=True):
    """A reference to the heading with this anchor."""

    text: str
    anchor: str


Span: TypeAlias = Plain | Code | Link
Inline: TypeAlias = tuple[Span, ...]


class Heading(Struct, frozen=True, tag=True):
    """A heading.

    Attributes:
        level: from 1; only the page's title has 1.
        content: its text.
        anchor: what links to it name; unique in the page.
    """

    level: int
    content: Inline
    anchor: str


class Paragraph(Struct, frozen=True, tag=True):
    """A paragraph."""

    content: Inline


class Bullets(Struct, frozen=True, tag=True):
    """A list without an order."""

    items: tuple[Inline, ...]


class Listing(Struct, frozen=True, tag=True):
    """Lines as they are, in a fixed-width font; `label` says what they are to those who cannot see them."""

    text: str
    label: str


class Table(Struct, frozen=True, tag=True):
    """A table; `label` says what is in it."""

    label: str
    head: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]


Block: TypeAlias = Heading | Paragraph | Bullets | Listing | Table


class Page(Struct, frozen=True):
    """A page: its title and what follows."""

    title: str
    blocks: tuple[Block, ...]


def inline(text: str) -> Inline:
    """Text in which `backticks` mark code."""
    spans: list[Span] = []
    end = 0
    for found in _CODE.finditer(text):
        if found.start() > end:
            spans.append(Plain(text[end : found.start()]))
        spans.append(Code((found["double"] or found["single"]).strip()))
        end = found.end()
    if end < len(text):
        spans.append(Plain(text[end:]))
    return tuple(spans)


def paragraph(text: str) -> Paragraph:
    """A paragraph of such text."""
    return Paragraph(inline(text))


def docstring(text: str, label: str) -> Iterable[Block]:
    """A docstring as blocks: paragraphs, and what is indented or listed as it stands."""
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        if any(line.startswith((" ", "\t", "- ", "* ", ">>>")) for line in lines):
            yield Listing(part, label)
        elif lines:
            yield paragraph(" ".join(lines))


def summary(text: str) -> str:
    """A docstring's first paragraph in one line."""
    return " ".join(re.split(r"\n\s*\n", text.strip(), maxsplit=1)[0].split())
