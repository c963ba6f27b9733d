"""Pages as Markdown, as GitHub and most other renderers read it (GFM)."""

from __future__ import annotations

import re
from typing import Final

from commscaffoldd.catalogue.pages.blocks import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Link,
    Listing,
    Page,
    Paragraph,
    Span,
    Table,
)

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~#$!])")
_BLOCK_START: Final = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
_FENCE: Final = re.compile(r"`+")


def to_markdown(page: Page) -> str:
    """The page, with a newline at its end."""
    parts = [f"# {_text(page.title)}", *map(_block, page.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level=level, content=content, anchor=anchor):
            # Renderers make anchors of their own, each in its way: this one is the same for all.
            return f'<a id="{anchor}"></a>\n\n{"#" * level} {_inline(content)}'
        case Paragraph(content=content):
            return _not_a_block(_inline(content))
        case Bullets(items=items):
            return "\n".join(f"- {_not_a_block(_inline(item))}" for item in items)
        case Listing(text=text):
            fence = _fence(text, 3)
            return f"{fence}text\n{_visible(text, keep_lines=True)}\n{fence}"
        case Table(head=head, rows=rows):
            lines = ["| " + " | ".join(map(_text, head)) + " |", "|" + "---|" * len(head)]
            lines += ["| " + " | ".join(_inline(cell) for cell in row) + " |" for row in rows]
            return "\n".join(lines)


def _inline(content: Inline) -> str:
    return "".join(map(_span, content))


def _span(span: Span) -> str:
    match span:
        case Code(text=text):
            shown = _visible(text, keep_lines=False).replace("|", "\\|")  # in tables also in code
            fence = _fence(shown, 1)
            space = " " if shown.startswith("`") or shown.endswith("`") else ""
            return f"{fence}{space}{shown}{space}{fence}"
        case Link(text=text, anchor=anchor):
            return f"[{_text(text)}](#{anchor})"
        case _:
            return _text(span.text)


def _text(text: str) -> str:
    escaped = _visible(text, keep_lines=False).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", escaped)


def _not_a_block(line: str) -> str:
    """A line whose first characters do not make it a list or the like."""
    found = _BLOCK_START.match(line)
    if found is None:
        return line
    head = found.end(1) if not found[2].isdigit() else found.end(2)
    return f"{line[:head]}\\{line[head:]}"


def _fence(text: str, least: int) -> str:
    """More backticks in a row than there are in the text."""
    return "`" * max(least, 1 + max(map(len, _FENCE.findall(text)), default=0))


def _visible(text: str, *, keep_lines: bool) -> str:
    kept = "\n\t" if keep_lines else ""
    joined = text if keep_lines else " ".join(text.split())
    if not keep_lines and text[:1].isspace():
        joined = " " + joined
    if not keep_lines and text[-1:].isspace() and joined.strip():
        joined += " "
    return "".join(one if one.isprintable() or one in kept else "\N{REPLACEMENT CHARACTER}" for one in joined)
