"""Pages as HTML."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser

from commscaffoldd.catalogue.pages.html import to_html
from commscaffoldd.catalogue.pages.page import protocol_page
from tests.catalogue.sample import sample

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Notes tags and ids, and that every tag is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def read() -> Reader:
    reader = Reader()
    reader.feed(to_html(protocol_page(sample())))
    reader.close()
    return reader


def test_every_tag_is_closed_and_no_id_is_there_twice() -> None:
    reader = read()
    assert reader.open == []
    ids = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(attributes["href"]).removeprefix("#") for attributes in reader.named("a")}
    assert targets <= set(ids)


def test_it_is_complete_in_itself_and_runs_nothing() -> None:
    reader = read()
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.seen}
    assert all(str(attributes["href"]).startswith("#") for attributes in reader.named("a"))
    assert "default-src 'none'" in str(reader.named("meta")[2]["content"])


def test_it_can_be_used_without_eyes_and_without_a_mouse() -> None:
    reader = read()
    assert reader.named("html") == [{"lang": "en"}]
    assert all(attributes.get("scope") == "col" for attributes in reader.named("th"))
    assert len(reader.named("caption")) == len(reader.named("table"))
    assert all(attributes.get("tabindex") == "0" for attributes in reader.named("pre"))
    levels = [int(tag[1]) for tag, _ in reader.seen if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
