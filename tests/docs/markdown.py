"""The code blocks of a Markdown page, each with what is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK: Final = re.compile(r"<!-- (.*) -->\n$")
_FILE: Final = re.compile(r"`([\w./-]+\.(?:py|ts|toml))`")


class Block(NamedTuple):
    """A code block.

    Attributes:
        line: of the page, where its code begins.
        language: of the fence; empty if it has none.
        text: the code.
        mark: an HTML comment on the line above the fence.
        file: the last file that the paragraph above names; without a paragraph, that of the block before.
        section: the heading that it stands below.
    """

    line: int
    language: str
    text: str
    mark: str
    file: str
    section: str


def blocks(page: str) -> Iterator[Block]:
    """All of a page, which is named from the repository's root."""
    source = (ROOT / page).read_text()
    end, file, section = 0, "", ""
    for fence in _FENCE.finditer(source):
        above = source[end : fence.start()]
        mark = _MARK.search(above)
        headings = re.findall(r"^#+ (.*)$", above, re.MULTILINE)
        section = headings[-1] if headings else section
        paragraph = above[: mark.start() if mark else None].rstrip("\n").rpartition("\n\n")[2]
        named = _FILE.findall(paragraph)
        file = named[-1] if named else "" if paragraph.strip() else file
        line = source.count("\n", 0, fence.start()) + 2
        yield Block(line, fence[1], fence[2], mark[1] if mark else "", file, section)
        end = fence.end()
