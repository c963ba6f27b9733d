"""What the page of a protocol says, as Markdown."""

from __future__ import annotations

import re

import pytest

from commscaffoldd.catalogue.layouts import restore_layout
from commscaffoldd.catalogue.pages.blocks import Heading, Link, Table
from commscaffoldd.catalogue.pages.frames import hex_frame
from commscaffoldd.catalogue.pages.html import to_html
from commscaffoldd.catalogue.pages.markdown import to_markdown
from commscaffoldd.catalogue.pages.page import protocol_page
from commscaffoldd.core.framing import FrameReader
from tests.catalogue import bodies
from tests.catalogue.sample import facts, sample


@pytest.fixture(scope="module")
def text() -> str:
    return to_markdown(protocol_page(sample()))


@pytest.mark.parametrize(
    "line",
    [
        "| `127.0.0.1:9000` | `standard` | error replies: 4294967295; go away: 4294967294 |",
        "| `127.0.0.1:9003` | `erlang` | all frames are message 1 |",
        "| 0 | 2 | `magic` | always `0xcafe`; anything else ends the connection |",
        "| 2 | 3 | `length` | header and body |",
        "- Body: MessagePack: [Greeting](#type-Greeting)",
        "- Reply: JSON: [Answer](#type-Answer)",
        "- Reply: none",
        "- Reply: MessagePack: whole number; any number of them, each with the request's sequence",
        "- May be sent before the connection is authenticated.",
        "As often as `times` says.",
        "| `times` | whole number (≥ 1, ≤ 10) | `1` |",
        "| `small` | whole number (≥ -128, ≤ 127) | required |",
        '| `mode` | `3` or `"fast"` or `"slow"` | `"fast"` |',
        "| `by_number` | map from whole number to text | `{}` |",
        "| `shape` | [Circle](#type-Circle) or [Rect](#type-Rect) or null | `null` |",
        'Told from others by its field `type`, which is `"circle"`.',
        "Fields that are not listed are refused.",
        '| `"not-red"` | `NOT_RED` |',
        "| 4 | timed out | The handler took longer than its timeout",
        "After 60 seconds of silence it is disconnected.",
        "- A connection that sends more than 2,000 messages a second, after 4,000 at once, is closed.",
    ],
)
def test_it_says(text: str, line: str) -> None:
    assert line in text


def test_an_example_frame_is_what_the_daemon_reads() -> None:
    catalogue = sample()
    for layout in catalogue.layouts:
        shown = hex_frame(layout, 7, 9, b"hello, this is a body of some length")
        data = b"".join(bytes.fromhex(line.split("  ")[0]) for line in shown.splitlines())
        (frame,), error = FrameReader(restore_layout(layout), 100, default_id=7).feed(data)
        assert error is None
        assert frame == (7, 9 if layout.field("sequence") else 0, b"hello, this is a body of some length")


def test_the_example_of_a_typed_message_shows_its_value_and_its_bytes(text: str) -> None:
    part = text.partition("### 10 `greet`")[2].partition("###")[0]
    assert 'For example `{"name":"text","times":1}` on layout `standard`:' in part
    assert "82 a4 6e 61 6d 65 a4 74 65 78 74 a5 74 69 6d 65  body ..name.text.time" in part


def test_every_link_leads_to_a_heading() -> None:
    page = protocol_page(sample())
    anchors = [block.anchor for block in page.blocks if isinstance(block, Heading)]
    cells = [cell for block in page.blocks if isinstance(block, Table) for row in block.rows for cell in row]
    links = {span.anchor for cell in cells for span in cell if isinstance(span, Link)}
    assert len(anchors) == len(set(anchors))
    assert links
    assert links <= set(anchors)


def test_a_server_without_error_replies_says_so() -> None:
    layouts = [restore_layout(sample().layout("erlang"))]
    text = to_markdown(protocol_page(sample(layouts)))
    assert "This server sends none" in text
    assert "go away, " not in text


def test_no_messages_and_no_types_is_a_page_too() -> None:
    text = to_markdown(protocol_page(sample(handlers=[])))
    assert "There are none." in text
    assert "## Types" not in text


HOSTILE = [
    "<script>alert(1)</script>",
    "**bold** _it_ ~~s~~ [x](javascript:alert(1)) ![i](x)",
    "a | b || c",
    "`code with <b> | pipe`",
    "``a ` b``",
    "- not a list",
    "1. not a list\n\n# not a heading\n\n> no quote",
    "nul \x00 escape \x1b[31m bell \x07",
    "&amp; &lt;",
    "    indented ``` fence",
    "\"quotes\" 'and' more",
    "\u202e right to left override",
]


@pytest.mark.parametrize("doc", HOSTILE)
def test_whatever_a_docstring_contains_stays_text(doc: str) -> None:
    page = protocol_page(sample(handlers=[facts(555, "f", bodies.Answer, ..., doc=doc)]))
    as_html, as_markdown = to_html(page), to_markdown(page)
    plain = to_html(protocol_page(sample(handlers=[facts(555, "f", bodies.Answer, ..., doc="Something.")])))
    added = set(re.findall(r"<[^>]*>", as_html)) - set(re.findall(r"<[^>]*>", plain))
    assert all(one.startswith(("<code>", "</code>", "<pre", "</pre", "<p>")) for one in added), added
    assert "<script" not in as_markdown
    assert "\x1b" not in as_html + as_markdown
    assert "\u202e" not in as_html + as_markdown
    rows = [line for line in as_markdown.splitlines() if line.startswith("| 555 |")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5]
