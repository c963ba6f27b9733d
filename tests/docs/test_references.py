"""What documents refer to is there: files, headings, source files, dependencies' reasons."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from commscaffoldd.cli.main import COMMANDS
from tests.docs.markdown import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return CODE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as they are made where Markdown is shown."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("https:", "http:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_source_files_that_the_architecture_names_are_there() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.(?:py|pyx|h))?)`", prose(ROOT / "docs" / "architecture.md"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "commscaffoldd" / name).exists()] == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.split("[>=]", one)[0] for one in [*project["dependencies"], *(one for extra in extras for one in extra)]
    }
    reasons = (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]
    assert [name for name in sorted(wanted) if not re.search(rf"\| .*\b{re.escape(name)}\b.* \|", reasons)] == []


def test_every_document_can_be_found_from_the_first_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"(docs/{page.name}" not in readme] == []


def test_every_command_is_in_the_first_pages_table() -> None:
    table = (ROOT / "README.md").read_text().partition("## Run it")[2].partition("## The two engines")[0]
    named = set(re.findall(r"`(?:commscaffoldd )?([a-z-]+)", table))
    assert set(COMMANDS) - {"take-over"} - named == set()
