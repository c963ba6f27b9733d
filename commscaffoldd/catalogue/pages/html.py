"""Pages as HTML: one file without scripts, for light and dark screens, keyboards and screen readers, and paper."""

from __future__ import annotations

import html
from collections.abc import Iterator
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

STYLE: Final = """
:root { color-scheme: light dark; --text: #1b1f24; --back: #fff; --soft: #f2f4f7; --line: #c9d0d9; --link: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ee; --back: #14171b; --soft: #20252c; --line: #454d58; --link: #8ab8ff; }
}
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); background: var(--back); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem 1rem; background: var(--back); }
.page { display: grid; gap: 2rem; max-width: 80rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav .level3 { padding-left: 1rem; }
@media (min-width: 64rem) {
  .page { grid-template-columns: 16rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1rem 0; }
}
main { min-width: 0; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 .6em; scroll-margin-top: 1rem; }
h1 { margin-top: .5em; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .3em; }
code, pre { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { background: var(--soft); padding: .1em .3em; border-radius: .25em; overflow-wrap: anywhere; }
pre, .table { overflow-x: auto; border: 1px solid var(--line); border-radius: .4em; margin: 1em 0; }
pre { background: var(--soft); padding: .8em 1em; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .4em .8em; font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .4em .8em; border-top: 1px solid var(--line); }
th { background: var(--soft); }
@media print { nav, .skip { display: none; } pre, .table { overflow: visible; } }
"""


def to_html(page: Page) -> str:
    """The page: a whole document, with a newline at its end."""
    title = _text(page.title)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Nothing of it needs a script or another file, so nothing may.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#content">Skip to the content</a>',
            '<div class="page">',
            '<nav aria-label="Contents">',
            *_contents(page),
            "</nav>",
            '<main id="content">',
            f"<h1>{title}</h1>",
            *map(_block, page.blocks),
            "</main>",
            "</div>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _contents(page: Page) -> Iterator[str]:
    """Links to the headings of the levels 2 and 3."""
    yield "<ul>"
    for block in page.blocks:
        if isinstance(block, Heading) and block.level <= 3:  # noqa: PLR2004  # deeper ones are too many
            text = "".join(_text(span.text) for span in block.content)
            yield f'<li class="level{block.level}"><a href="#{_text(block.anchor)}">{text}</a></li>'
    yield "</ul>"


def _block(block: Block) -> str:
    match block:
        case Heading(level=level, content=content, anchor=anchor):
            return f'<h{level} id="{_text(anchor)}">{_inline(content)}</h{level}>'
        case Paragraph(content=content):
            return f"<p>{_inline(content)}</p>"
        case Bullets(items=items):
            return "<ul>\n" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>"
        case Listing(text=text, label=label):
            # What scrolls must be reachable by keyboard.
            return f'<pre tabindex="0" role="region" aria-label="{_text(label)}">{_text(text)}</pre>'
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>\n" for row in table.rows)
    label = _text(table.label)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}">\n<table>\n<caption>{label}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>"
    )


def _inline(content: Inline) -> str:
    return "".join(map(_span, content))


def _span(span: Span) -> str:
    match span:
        case Code(text=text):
            return f"<code>{_text(text)}</code>"
        case Link(text=text, anchor=anchor):
            return f'<a href="#{_text(anchor)}">{_text(text)}</a>'
        case _:
            return _text(span.text)


def _text(text: str) -> str:
    shown = "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
    return html.escape(shown)
